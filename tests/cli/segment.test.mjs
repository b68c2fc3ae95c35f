// `dinomed3d segment` and `evaluate`, as a person calls them.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { dice, makeNifti, readNifti } from "../nifti.mjs";
import { data, dinomed3d, hippocampus, model, root, scratch, validationCases, without } from "../places.mjs";

test("the shipped model reaches on its validation cases what its manifest says", { skip: without("hippocampus/imagesTr") }, (t) => {
  const said = dinomed3d("evaluate", "--model", model, "--data", join(data, "hippocampus"), "--json");
  assert.equal(said.status, 0, said.stderr);
  const report = JSON.parse(said.stdout);
  const { scores } = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  assert.equal(report.cases.length, 42);
  t.diagnostic(`mean Dice ${report.mean.dice.toFixed(4)}, HD95 ${report.mean.hd95Mm.toFixed(3)} mm`);
  assert.ok(report.mean.dice >= 0.84, `${report.mean.dice}`);
  assert.ok(Math.abs(report.mean.dice - scores.meanDice) < 1e-3, `${report.mean.dice} against ${scores.meanDice}`);
  for (const [i, label] of scores.labels.entries()) {
    assert.ok(Math.abs(report.labelMeans[i].dice - label.dice) < 1e-3);
    assert.ok(Math.abs(report.labelMeans[i].hd95Mm - label.hd95Mm) < 2e-2);
  }
});

test("files in, files out, files compared: the same Dice three ways", { skip: without("hippocampus/imagesTr") }, () => {
  const [folder, references] = [scratch(), scratch()];
  const cases = validationCases().slice(0, 2);
  for (const name of cases) {
    const { image, label } = hippocampus(name);
    const said = dinomed3d("segment", image, "-o", join(folder, name));
    assert.equal(said.status, 0, said.stderr);
    assert.match(said.stdout, /volume \(mL\)[\s\S]*Anterior[\s\S]*Posterior[\s\S]*Research and education only; not a medical device\./i);
    writeFileSync(join(references, name), readFileSync(label));
    assert.deepEqual(readNifti(join(folder, name)).geometry, readNifti(image).geometry);
  }
  const table = dinomed3d("evaluate", "--predictions", folder, "--references", references);
  assert.match(table.stdout, /mean of 2 cases/);
  const report = JSON.parse(dinomed3d("evaluate", "--predictions", folder, "--references", references, "--json").stdout);
  report.cases.forEach((row, i) => {
    const [prediction, reference] = [join(folder, cases[i]), join(references, cases[i])].map(readNifti);
    for (const { label, dice: score } of row.labels) {
      assert.ok(Math.abs(score - dice(prediction.voxels, reference.voxels, label)) < 1e-12);
      assert.ok(score > 0.7);
    }
  });
  // A mean over some of the cases is never passed off as one over all.
  writeFileSync(join(references, "another.nii.gz"), readFileSync(join(references, cases[0])));
  const missing = dinomed3d("evaluate", "--predictions", folder, "--references", references);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /no prediction .* 1 of 3 references: another/);
});

test("what is found in the sample agrees with its reference", () => {
  const [scan, reference] = ["sample.nii.gz", "sample_dseg.nii.gz"].map((name) => join(root, "public/samples", name));
  const output = join(scratch(), "found.nii.gz");
  assert.equal(dinomed3d("segment", scan, "-o", output).status, 0);
  const said = dinomed3d("evaluate", "--predictions", output, "--references", reference, "--json");
  const { labelMeans } = JSON.parse(said.stdout);
  assert.equal(labelMeans.length, 2);
  for (const { label, dice } of labelMeans) assert.ok(dice >= 0.5, `label ${label}: ${dice}`);
});

test("bad input ends with code 2, a reason, and no output file", () => {
  const folder = scratch();
  const output = join(folder, "out.nii.gz");
  const flat = join(folder, "flat.nii");
  writeFileSync(flat, makeNifti([12, 12, 12], () => 3));
  const series = join(folder, "series.nii");
  writeFileSync(series, makeNifti([6, 6, 6, 4], (x) => x));
  const notes = join(folder, "notes.nii");
  writeFileSync(notes, "not a scan");
  for (const [input, reason] of [
    [flat, /constant/],
    [series, /volumes?/],
    [notes, /notes\.nii/],
    [join(folder, "nowhere.nii"), /nowhere\.nii/],
  ]) {
    const said = dinomed3d("segment", input, "-o", output);
    assert.equal(said.status, 2, said.stderr);
    assert.match(said.stderr, reason);
    assert.doesNotMatch(said.stderr, /panicked/);
    assert.ok(!existsSync(output));
  }
  const sample = join(root, "public/samples/sample.nii.gz");
  const nowhere = dinomed3d("segment", sample, "-o", join(folder, "no/such/folder.nii.gz"));
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /writing .*folder\.nii\.gz/);
  const device = dinomed3d("segment", sample, "-o", output, "--device", "quantum");
  assert.equal(device.status, 2);
  assert.match(device.stderr, /"quantum".*cpu/);
});

test("a model with damaged weights is refused", () => {
  const folder = join(scratch(), "damaged");
  mkdirSync(folder);
  for (const name of readdirSync(model)) {
    const bytes = readFileSync(join(model, name));
    if (name.endsWith(".safetensors")) bytes[bytes.length - 9] ^= 4;
    writeFileSync(join(folder, name), bytes);
  }
  const said = dinomed3d("segment", join(root, "public/samples/sample.nii.gz"), "-o", join(folder, "o.nii"), "--model", folder);
  assert.equal(said.status, 2);
  assert.match(said.stderr, /SHA-256/);
});
