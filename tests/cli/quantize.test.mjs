// A model's weights stored in fewer bits.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { data, dinomed3d, model, root, scratch, validationCases, without } from "../places.mjs";
import { makeData } from "./boxes.mjs";

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));

/** The rows of the table of tensors: name to bits, bytes and error. */
function tensorsOf(stdout) {
  const rows = stdout.matchAll(/^(\S+) +(4|8|32) +(\d+) +(\d\.\d+) +\[/gm);
  return new Map([...rows].map(([, name, bits, bytes, error]) => [name, { bits: Number(bits), bytes: Number(bytes), error: Number(error) }]));
}

/** The shipped model with other validation cases. */
function withCases(folder, names) {
  const changed = join(folder, "model");
  cpSync(model, changed, { recursive: true });
  const manifest = manifestOf(changed);
  manifest.training.validationCases = names;
  writeFileSync(join(changed, "manifest.json"), JSON.stringify(manifest));
  return changed;
}

test("four bits halve the weights file, each tensor's error is told, and the model segments", () => {
  const folder = scratch();
  const [four, sample] = [join(folder, "four"), join(root, "public/samples/sample.nii.gz")];
  const said = dinomed3d("quantize", model, "-o", four, "--bits", "4");
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /own weights are in 8 bits with one scale per 64 values: they count as exact/);
  assert.match(said.stdout, /Without --data nothing was scored/);
  const tensors = tensorsOf(said.stdout);
  assert.equal(tensors.get("vit.norm.gamma").bits, 32);
  const qkv = tensors.get("vit.blocks.0.attn.qkv.weight");
  assert.equal(qkv.bits, 4);
  assert.ok(qkv.error > 0.02 && qkv.error < 0.12, `${qkv.error}`);
  // Half a byte a value, and two bytes for each 32.
  assert.equal(qkv.bytes, (128 * 384 * 9) / 16);
  const [made, own] = [manifestOf(four), manifestOf(model)];
  assert.equal(made.weights.quantization, "q4-block32");
  assert.ok(made.weights.bytes < 0.62 * own.weights.bytes, `${made.weights.bytes} of ${own.weights.bytes}`);
  assert.equal(made.name, "four", "it is a model of its own");
  assert.deepEqual([made.scores, made.calibration, made.storageScores], [null, undefined, undefined]);
  assert.deepEqual(readdirSync(four).sort(), ["README.md", "manifest.json", made.weights.file].sort());
  assert.deepEqual(readdirSync(folder), ["four"]);
  const card = readFileSync(join(four, "README.md"), "utf8");
  assert.ok(card.includes(`| weights | ${made.weights.bytes} bytes, 4 bits with one scale per 32 values, SHA-256 \`${made.weights.sha256}\` |`));
  assert.match(card, /## Storage\n\nThese weights were stored anew in 4 bits.*not measured/);
  const labels = [model, four].map((folder, number) => {
    const output = join(scratch(), `${number}.nii.gz`);
    const segmented = dinomed3d("segment", sample, "-o", output, "--model", folder);
    assert.equal(segmented.status, 0, segmented.stderr);
    return readNifti(readFileSync(output)).voxels;
  });
  const labelled = labels[0].filter((value) => value > 0).length;
  const others = labels[0].filter((value, place) => value !== labels[1][place]).length;
  assert.ok(others > 0 && others < 0.2 * labelled, `${others} of ${labelled} voxels are others`);
});

test("in the folder of the model it is the same model once more, named by both", () => {
  const own = withCases(scratch(), []);
  const within = join(own, "four-bits");
  rmSync(within, { recursive: true });
  const said = dinomed3d("quantize", own, "-o", within, "--bits", "4");
  assert.equal(said.status, 0, said.stderr);
  assert.equal(manifestOf(within).name, manifestOf(own).name);
  const listed = dinomed3d("models");
  assert.match(listed.stdout, /^hippocampus {2}[\s\S]*^hippocampus\/four-bits {2}/m);
});

test("with cases their Dice is measured as stored before, in eight and in four bits, and the manifest has it", { skip: without("hippocampus") }, () => {
  const folder = scratch();
  const names = validationCases().slice(0, 2).map((file) => file.replace(".nii.gz", ""));
  const [own, auto] = [withCases(folder, names), join(folder, "auto")];
  const said = dinomed3d("quantize", own, "-o", auto, "--bits", "auto", "--data", join(data, "hippocampus"));
  assert.equal(said.status, 0, said.stderr);
  const rows = [...said.stdout.matchAll(/mean Dice (0\.\d+) \(([+-]0\.\d+)\) over 2 cases: (.*?), (\d+) bytes/g)];
  assert.deepEqual(rows.map(([, , , what]) => what), [
    "the model as it is, 8 bits with one scale per 64 values",
    "8 bits with one scale per 64 values",
    "4 bits with one scale per 32 values",
  ]);
  const made = manifestOf(auto);
  const { reference, numCases, measured } = made.storageScores;
  assert.deepEqual([reference, numCases], ["q8-block64", 2]);
  assert.deepEqual(measured.map(({ bytes }) => bytes), rows.map(([, , , , bytes]) => Number(bytes)));
  const dice = measured.map(({ meanDice }) => meanDice);
  assert.ok(dice[0] > 0.8, `${dice}`);
  assert.ok(Math.abs(dice[1] - dice[0]) < 1e-4, "eight bits of eight bits are the same");
  const isFour = dice[0] - dice[2] <= 0.005;
  assert.equal(made.weights.quantization, isFour ? "q4-block32" : "q8-block64");
  assert.equal(made.scores.meanDice, isFour ? dice[2] : dice[1]);
  assert.equal(made.scores.numCases, 2);
  assert.equal(made.calibration.cases, 2);
  assert.match(readFileSync(join(auto, "README.md"), "utf8"), /Measured on 2 validation cases/);
  const again = dinomed3d("evaluate", "--model", auto, "--data", join(data, "hippocampus"), "--json");
  assert.equal(again.status, 0, again.stderr);
});

test("what can't be stored anew is refused with a sentence, and nothing is left", () => {
  const folder = scratch();
  const [boxes, damaged, full, four] = ["boxes", "damaged", "full", "four"].map((name) => join(folder, name));
  mkdirSync(boxes);
  makeData(boxes);
  cpSync(model, damaged, { recursive: true });
  const weights = readFileSync(join(damaged, "weights.safetensors"));
  weights[weights.length - 100] ^= 1;
  writeFileSync(join(damaged, "weights.safetensors"), weights);
  mkdirSync(full);
  writeFileSync(join(full, "notes.txt"), "mine");
  assert.equal(dinomed3d("quantize", model, "-o", four, "--bits", "4").status, 0);
  const before = readdirSync(folder).sort();
  const out = join(folder, "out");
  for (const [words, said] of [
    [[model, "-o", out, "--bits", "auto"], /--bits auto chooses by the Dice of cases: expected is --data DIR/],
    [[model, "-o", out, "--bits", "5"], /invalid value '5'/],
    [[model, "-o", full, "--bits", "8"], /full is there already and not empty; choose another folder/],
    [[model, "-o", model, "--bits", "8"], /hippocampus is there already and not empty/],
    [[four, "-o", out, "--bits", "8"], /four is stored in 4 bits already: expected is a model with more/],
    [[damaged, "-o", out, "--bits", "8"], /weights have SHA-256 [0-9a-f]{64}, the manifest says/],
    [[boxes, "-o", out, "--bits", "8"], /reading .*boxes.manifest\.json/],
    [[model, "-o", out, "--bits", "8", "--data", boxes], /boxes holds none of the 42 cases that the manifest of .* says were held out/],
    [[model, "-o", out, "--bits", "8", "--recipe", "x.toml"], /--data <DIR>/],
  ]) {
    const { status, stderr } = dinomed3d("quantize", ...words);
    assert.equal(status, 2, stderr);
    assert.match(stderr, said);
    assert.ok(!existsSync(out), words.join(" "));
    assert.deepEqual(readdirSync(folder).sort(), before);
  }
  assert.deepEqual(readdirSync(full), ["notes.txt"]);
});
