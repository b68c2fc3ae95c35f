// Other people's checkpoints, of made-up weights, through the native program.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { indexOf } from "../reference.mjs";
import { readSafetensors, writeSafetensors } from "../safetensors.mjs";
import { makeData, makeRecipe } from "./boxes.mjs";

/** Small values that are not all alike. */
function filled(shape) {
  const values = new Float32Array(shape.reduce((product, edge) => product * edge, 1));
  for (let i = 0; i < values.length; i += 1) values[i] = ((i % 101) - 50) * 2e-4;
  return { shape, values };
}

/** A DINOv3 transformer under the official names. */
function dinov3({ width, depth, hidden, patch, registers }) {
  const shapes = {
    cls_token: [1, 1, width],
    storage_tokens: [1, registers, width],
    mask_token: [1, width],
    "patch_embed.proj.weight": [width, 3, patch, patch],
    "patch_embed.proj.bias": [width],
    "rope_embed.periods": [4],
    "norm.weight": [width],
    "norm.bias": [width],
  };
  const block = {
    "attn.qkv.weight": [3 * width, width],
    "attn.qkv.bias": [3 * width],
    "attn.qkv.bias_mask": [3 * width],
    "attn.proj.weight": [width, width],
    "attn.proj.bias": [width],
    "ls1.gamma": [width],
    "ls2.gamma": [width],
    "mlp.fc1.weight": [hidden, width],
    "mlp.fc1.bias": [hidden],
    "mlp.fc2.weight": [width, hidden],
    "mlp.fc2.bias": [width],
  };
  for (const norm of ["norm1", "norm2"]) for (const part of ["weight", "bias"]) block[`${norm}.${part}`] = [width];
  for (let i = 0; i < depth; i += 1) for (const [name, shape] of Object.entries(block)) shapes[`blocks.${i}.${name}`] = shape;
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, filled(shape)]));
}

const VIT_S = { width: 384, depth: 12, hidden: 1536, patch: 16, registers: 4 };

function write(folder, name, tensors, prefix = "") {
  const path = join(folder, name);
  writeFileSync(path, writeSafetensors([...tensors].map(([key, tensor]) => [prefix + key, tensor])));
  return path;
}

test("a DINOv3 transformer is taken over, and the program says what went where", () => {
  const folder = scratch();
  const from = write(folder, "vits16.safetensors", dinov3(VIT_S), "model.");
  const said = dinomed3d("convert", "--from", from, "--preset", "vits16", "-o", join(folder, "vits16"), "--list");
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /DINOv3, official; names begin with model\./);
  assert.match(said.stdout, /vit\.blocks\.11\.mlp\.fc2\.weight ← model\.blocks\.11\.mlp\.fc2\.weight/);
  assert.match(said.stdout, /mapped 174 parameters of 2\d{7} values/);
  assert.match(said.stdout, /left out 14 known to be of no use.*model\.mask_token/);
  const weights = readSafetensors(readFileSync(join(folder, "vits16/weights.safetensors")));
  assert.deepEqual(weights.get("vit.blocks.0.attn.qkv.weight").shape, [384, 1152]);
});

test("a checkpoint that is not of the preset is refused by name, and nothing is written", () => {
  const folder = scratch();
  const lacking = dinov3(VIT_S);
  lacking.delete("blocks.3.ls1.gamma");
  lacking.set("head.weight", filled([2, 384]));
  const from = write(folder, "lacking.safetensors", lacking);
  const output = join(folder, "model");
  for (const [preset, said] of [
    ["vits16", /1 missing: blocks\.3\.ls1\.gamma\n.*1 left over: head\.weight/],
    ["vitb16", /cls_token: found \[1, 1, 384\], expected \[1, 1, 768\]/],
    ["paper-s", /DINOv3, official.*expected is one of vits16/],
    ["vit7b16", /the 7B model.*not supported.*vits16plus/],
  ]) {
    const answer = dinomed3d("convert", "--from", from, "--preset", preset, "-o", output);
    assert.equal(answer.status, 2, preset);
    assert.match(answer.stderr, said);
  }
  const answer = dinomed3d("convert", "--from", join(folder, "nothing.pth"), "--preset", "vits16", "-o", output);
  assert.equal(answer.status, 2);
  assert.match(answer.stderr, /nothing\.pth/);
  assert.ok(!existsSync(output));
});

test("a training begins with a transformer", () => {
  const folder = scratch();
  const [data, run, recipe] = ["data", "run", "recipe.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  const words = ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "1", "--stage2-epochs", "1"];
  const tiny = { width: 16, depth: 4, hidden: 32, patch: 8, registers: 1 };
  const wrong = write(folder, "wrong.safetensors", dinov3({ ...tiny, patch: 16 }));
  const refused = dinomed3d(...words, "--init", wrong);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /patch_embed\.proj\.weight: found \[16, 3, 16, 16\], expected \[16, 3, 8, 8\]/);
  const from = write(folder, "tiny.safetensors", dinov3(tiny), "module.");
  const trained = dinomed3d(...words, "--init", from, "--fold", "centre");
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(readFileSync(join(run, "recipe.toml"), "utf8"), /initialization = "DINOv3, official \(tiny\.safetensors\)"/);

  // Its stage 1 begins another training, and so does the whole network.
  for (const [name, file] of [["second", "stage1.safetensors"], ["third", "last.safetensors"]]) {
    const again = ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", join(folder, name), "--stage1-epochs", "1", "--stage2-epochs", "1"];
    const folded = dinomed3d(...again, "--init", join(run, file), "--fold", "mean");
    assert.equal(folded.status, 2);
    assert.match(folded.stderr, /--fold is for DINOv3/);
    const said = dinomed3d(...again, "--init", join(run, file));
    assert.equal(said.status, 0, said.stderr);
    const stages = readFileSync(join(folder, name, "log.csv"), "utf8").trim().split("\n").slice(1).map((row) => row[0]);
    assert.deepEqual(stages, file.startsWith("stage1") ? ["1", "2"] : ["2"]);
  }
});

/** The keys of the reference's stage 2, made as wide and deep as `paper-s`. */
function stage2() {
  const wider = { 48: 384, 144: 1152, 192: 1536 };
  const tensors = new Map();
  for (const [name, shape] of indexOf("stage2").keys) {
    const isWide = name.startsWith("encoder.") || /^adapter_3d\.\w+\.0\.weight/.test(name);
    const scaled = isWide ? shape.map((edge) => wider[edge] ?? edge) : shape;
    const block = name.match(/^(.*blocks\.)(\d+)(\..*)$/);
    if (!block) tensors.set(name, filled(scaled));
    else if (block[2] === "0") for (let i = 0; i < 12; i += 1) tensors.set(`${block[1]}${i}${block[3]}`, filled(scaled));
  }
  return tensors;
}

test("a stage 2 of the authors' code becomes a model that segments", () => {
  const folder = scratch();
  const from = write(folder, "stage2.safetensors", stage2(), "model_state_dict.");
  const recipe = join(folder, "recipe.toml");
  makeRecipe(recipe);
  const output = join(folder, "model");
  const words = ["convert", "--from", from, "--preset", "paper-s", "-o", output, "--labels", "core,rim", "--storage", "q8"];
  const said = dinomed3d(...words, "--recipe", recipe);
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /DINO-Med3D stage 2, authors' code, 3 classes/);
  assert.match(said.stdout, /left out.*decoder\.cls\.weight/);
  const manifest = JSON.parse(readFileSync(join(output, "manifest.json"), "utf8"));
  assert.deepEqual(manifest.labels.map(({ name }) => name), ["background", "core", "rim"]);
  assert.deepEqual(manifest.window, [16, 16, 16]);

  // What is there stays there.
  const again = dinomed3d(...words, "--recipe", recipe);
  assert.equal(again.status, 2);
  assert.match(again.stderr, /manifest\.json is there already/);
  const wrong = ["convert", "--from", from, "--preset", "paper-s", "-o", join(folder, "other"), "--labels", "one"];
  assert.match(dinomed3d(...wrong).stderr, /1 labels are named, the checkpoint has 2/);
  assert.ok(!existsSync(join(folder, "other")));

  const scan = join(folder, "scan.nii");
  writeFileSync(scan, makeNifti([20, 14, 15], (x, y, z) => x * y + z));
  const labels = join(folder, "labels.nii");
  const segmented = dinomed3d("segment", scan, "-o", labels, "--model", output);
  assert.equal(segmented.status, 0, segmented.stderr);
  assert.deepEqual(readNifti(labels).geometry, readNifti(scan).geometry);
});
