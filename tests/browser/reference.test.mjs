// The transformer in the browser against the numbers of the reference implementation.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { reference, transformer, transformerConfig } from "../reference.mjs";
import { readSafetensors, writeSafetensors } from "../safetensors.mjs";
import { sharedPage } from "./page.mjs";

/** As natively; see the reference's README. */
const TOLERANCE = 1e-5;

/** A page that computes nothing itself; it starts one worker for each backend and keeps it. */
const bench = sharedPage({ query: "manifest.webmanifest" }, (visitor) => visitor.page.evaluate(() => (window.workers = {})));

/** Asks the page's worker of that backend for the features of a transformer. */
async function transform(backend, vit, file) {
  const { page } = await bench();
  const base64 = await page.evaluate(
    async ({ backend, vit, base64 }) => {
      const begin = async () => {
        const worker = new Worker(`worker_loader.js?backend=${backend}`, { type: "module" });
        await new Promise((resolve) => (worker.onmessage = resolve));
        return worker;
      };
      const worker = await (window.workers[backend] ??= begin());
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const found = await new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => {
          const message = JSON.parse(data.message);
          if (message.kind === "failed") {
            delete window.workers[backend];
            reject(new Error(message.failure.what));
          }
          if (message.kind === "transformed") resolve(new Uint8Array(data.bytes));
        };
        const request = JSON.stringify({ kind: "transform", job: 1, vit: JSON.stringify(vit) });
        worker.postMessage({ message: request, bytes: bytes.buffer }, [bytes.buffer]);
      });
      let text = "";
      for (const byte of found) text += String.fromCharCode(byte);
      return btoa(text);
    },
    { backend, vit, base64: file.toString("base64") },
  );
  return readSafetensors(Buffer.from(base64, "base64"));
}

test("a transformer that can't be is refused in words", async () => {
  const name = "dinov3_mlp";
  const config = transformerConfig(name);
  const request = transformer(name);
  const { shape } = readSafetensors(readFileSync(join(reference, `${name}.safetensors`))).get("input");
  const ask = (changed, [images, channels, rows, columns]) => {
    const values = new Float32Array(images * channels * rows * columns);
    request.set("input", { shape: [images, channels, rows, columns], values });
    return transform("cpu", { ...config, ...changed }, writeSafetensors(request));
  };
  await assert.rejects(ask({ num_heads: 7 }, shape), /num_heads is 7 in embed_dim \d+, expected is heads whose width/);
  await assert.rejects(ask({ patch_size: 6 }, shape), /patch_size is 6, expected is a multiple of 4/);
  const [images, channels, rows, columns] = shape;
  await assert.rejects(ask({}, [images, channels + 1, rows, columns]), /image's channels is \d+, expected is \d+/);
  await assert.rejects(ask({}, [images, channels, rows + 1, columns]), /image's size is \d+ × \d+, expected is edges/);
});

for (const backend of ["webgpu", "cpu"]) {
  for (const name of ["dinov3_mlp", "dinov3_swiglu"]) {
    const path = join(reference, `${name}.safetensors`);
    test(`${name} on ${backend} gives the reference's tokens`, async (t) => {
      const expected = readSafetensors(readFileSync(path));
      const request = transformer(name);
      request.set("input", expected.get("input"));
      expected.delete("input");
      const found = await transform(backend, transformerConfig(name), writeSafetensors(request));
      assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
      let worst = 0;
      for (const [key, { values }] of expected) {
        const answer = found.get(key).values;
        assert.equal(answer.length, values.length, key);
        const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        const error = values.reduce((max, value, i) => Math.max(max, Math.abs(value - answer[i]) / largest), 0);
        assert.ok(error <= TOLERANCE, `${key}: ${error}`);
        worst = Math.max(worst, error);
      }
      t.diagnostic(`${name} on ${backend}: largest error ${worst.toExponential(1)} of the largest value`);
    });
  }
}
