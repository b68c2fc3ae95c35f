// Numbers of the reference implementations.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./places.mjs";

/** Their folder. */
export const reference = join(root, "crates/core/tests/reference/numbers");

/** What the index says of a file. */
export function indexOf(file) {
  return JSON.parse(readFileSync(join(reference, "index.json"), "utf8"))[file];
}

const MASK = (1n << 64n) - 1n;

/** The values of a parameter, by the rule of the reference's README. */
function fill(name, shape, salt) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(name)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  hash = (hash + BigInt(salt)) & MASK;
  const count = shape.reduce((product, edge) => product * edge, 1);
  const kind = name.split(".").at(-1);
  const scale = Math.sqrt(3 / (count / shape[0]));
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    let z = (hash + BigInt(i + 1) * 0x9e3779b97f4a7c15n) & MASK;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    z ^= z >> 31n;
    const u = (Number(z >> 40n) / 2 ** 24) * 2 - 1;
    if (shape.length > 1) values[i] = u * scale;
    else if (kind === "gamma" || kind === "lambda1") values[i] = 0.5 + 0.1 * u;
    else if (kind === "weight") values[i] = (count === 1 ? 0.25 : 1) + 0.1 * u;
    else values[i] = 0.1 * u;
  }
  return values;
}

function transposed({ shape: [rows, columns], values }) {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) result[column * rows + row] = values[row * columns + column];
  }
  return { shape: [columns, rows], values: result };
}

/** The parameters of a transformer of the reference, under the names and in the layout of this program. */
export function transformer(file) {
  const salt = indexOf("settings").salt;
  const tensors = new Map();
  for (const [name, shape] of indexOf(file).keys) {
    if (/mask_token|bias_mask|rope_embed/.test(name)) continue;
    const tensor = { shape, values: fill(name, shape, salt) };
    const isNorm = /norm\d?\.(weight|bias)$/.test(name);
    const ours = isNorm ? name.replace(/weight$/, "gamma").replace(/bias$/, "beta") : name;
    const isLinear = shape.length === 2 && name.endsWith(".weight");
    tensors.set(`vit.${ours}`, isLinear ? transposed(tensor) : tensor);
  }
  return tensors;
}

/** Settings of that transformer, as this program names them. */
export function transformerConfig(file) {
  const { keys, embed_dim, depth, heads, ffn } = indexOf(file);
  const edge = (name) => keys.find(([key]) => key === name)[1];
  const hidden = ffn === "swiglu" ? edge("blocks.0.mlp.w1.bias")[0] : edge("blocks.0.mlp.fc1.bias")[0];
  return {
    in_channels: 3,
    patch_size: 16,
    embed_dim,
    depth,
    num_heads: heads,
    mlp_dim: hidden,
    num_registers: edge("storage_tokens")[1],
    layer_scale: 1e-5,
    feed_forward: ffn,
  };
}
