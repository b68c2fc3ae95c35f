// The head of stage 1's proxy task: a run's own where it still fits, else one that is fitted anew. On made-up cases, with a tiny network.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { makeData, makeRecipe } from "./boxes.mjs";

const folder = scratch();
const [data, recipe] = ["data", "recipe.toml"].map((name) => join(folder, name));
mkdirSync(data);
makeData(data);

function done(...words) {
  const said = dinomed3d(...words);
  assert.equal(said.status, 0, said.stderr);
  return said.stdout;
}

const made = new Map();

/** The folder of a model of a run whose stage 2 freezes the transformer, or not; its manifest and card. */
function exported(isFrozen) {
  if (made.has(isFrozen)) return made.get(isFrozen);
  makeRecipe(recipe);
  writeFileSync(recipe, readFileSync(recipe, "utf8").replace(/^freeze-backbone = .*$/m, `freeze-backbone = ${isFrozen}`));
  const [run, model] = ["run", "model"].map((name) => join(folder, `${name}-${isFrozen}`));
  done("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "6", "--stage2-epochs", "4");
  done("export", run, "--data", data, "-o", model);
  made.set(isFrozen, { model, ...read(model) });
  return made.get(isFrozen);
}

function read(model) {
  const text = (name) => readFileSync(join(model, name), "utf8");
  return { manifest: JSON.parse(text("manifest.json")), card: text("README.md") };
}

test("a run whose stage 2 left the transformer alone exports stage 1's own head, and maps of it are written", () => {
  const { model, manifest, card } = exported(true);
  const { isFitted, meanDice, numCases, weights } = manifest.proxy;
  assert.equal(isFitted, false);
  assert.deepEqual([weights.weight.length, weights.bias.length, numCases], [32, 2, 2]);
  assert.ok(meanDice > 0.3, `stage 1 has learnt something: ${meanDice}`);
  assert.match(card, /## Stage 1 alone\n\n.*mean Dice of 0\.\d{4} over 2 held-out cases.*the linear head of stage 1/);
  const out = join(folder, "maps");
  done("inspect", join(data, "imagesTr/box_0.nii"), "--model", model, "--at", "8, 8,8", "--out", out);
  const { diceStage1 } = JSON.parse(readFileSync(join(out, "inside.json")));
  const [stage1, stage2] = ["proxy_labels", "labels"].map((name) => readNifti(join(out, `${name}.nii.gz`)).voxels);
  const count = (test) => stage1.filter((_, i) => test(stage1[i], stage2[i])).length;
  const dice = (2 * count((a, b) => a === 1 && b === 1)) / (count((a) => a === 1) + count((_, b) => b === 1));
  assert.ok(Math.abs(diceStage1[1] - dice) < 1e-9, `${diceStage1[1]} and ${dice}`);
});

test("one whose transformer went on has none until it is fitted anew, which card and manifest say", () => {
  const { model, manifest, card } = exported(false);
  assert.equal(manifest.proxy, undefined);
  assert.doesNotMatch(card, /Stage 1 alone/);
  const said = done("proxy", model, "--data", data, "--epochs", "40");
  assert.match(said, /fitted anew: mean Dice 0\.\d{4} over 2 held-out cases/);
  const fitted = read(model);
  assert.equal(fitted.manifest.proxy.isFitted, true);
  assert.ok(fitted.manifest.proxy.meanDice > 0.3, `${fitted.manifest.proxy.meanDice}`);
  assert.match(fitted.card, /fitted anew to the training cases/);
  assert.equal(fitted.card.match(/## Stage 1 alone/g).length, 1);
  assert.ok(fitted.card.indexOf("## Stage 1 alone") < fitted.card.indexOf("## Limits"));
  // Nothing else is another, but for the last digit, which a number that goes through text may lose.
  const rounded = (rest) => JSON.parse(JSON.stringify({ ...rest, proxy: null }, (_, value) => (typeof value === "number" ? Number(value.toPrecision(12)) : value)));
  assert.deepEqual(rounded(fitted.manifest), rounded(manifest));
  done("proxy", model, "--data", data, "--epochs", "40");
  assert.deepEqual(read(model).manifest.proxy, fitted.manifest.proxy, "the same again");
});

test("a manifest has the checksums of the parts of its weights, and one without them is read as before", () => {
  const { model, manifest } = structuredClone(exported(true));
  const { file, chunks } = manifest.weights;
  const bytes = readFileSync(join(model, file));
  const sum = createHash("sha256").update(bytes).digest("hex");
  assert.deepEqual(chunks, { bytes: 1 << 20, sha256: [sum] }, "one, as it is small");
  delete manifest.weights.chunks;
  delete manifest.proxy;
  writeFileSync(join(model, "manifest.json"), JSON.stringify(manifest));
  const output = join(folder, "label.nii");
  done("segment", join(data, "imagesTr/box_0.nii"), "-o", output, "--model", model);
  done("calibrate", model, "--data", data);
  assert.deepEqual(read(model).manifest.weights.chunks, chunks, "whoever writes the manifest adds them");
});
