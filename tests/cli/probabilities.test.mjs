// How sure a network is, as files.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";

const sample = join(root, "public/samples/sample.nii.gz");
const head = join(root, "public/samples/head.nii.gz");

test("each label has its probability at each voxel, and the most probable is the label", () => {
  const out = scratch();
  const names = ["x_dseg.nii.gz", "x_probseg.nii.gz", "x_probseg.json", "x_certainty.nii.gz"];
  const said = dinomed3d("segment", sample, "--model", model, ...names.flatMap((name) => ["-o", join(out, name)]));
  assert.equal(said.status, 0, said.stderr);
  const [labels, probabilities, , certainty] = names.map((name) => name.endsWith(".json") ? JSON.parse(readFileSync(join(out, name))) : readNifti(join(out, name)));
  const count = labels.voxels.length;
  assert.deepEqual(probabilities.shape, [...labels.shape, 2]);
  assert.deepEqual(JSON.parse(readFileSync(join(out, names[2]))).LabelMap, ["Anterior", "Posterior"]);
  for (const map of [probabilities, certainty]) {
    for (const field of ["units", "formCodes", "quaternion", "srow"]) assert.equal(map.geometry[field], labels.geometry[field], field);
    const [slope, inter] = [112, 116].map((at) => map.view.getFloat32(at, map.isLittle));
    assert.ok(Math.abs(slope - 1 / 255) < 1e-9 && inter === 0, `${slope} ${inter}`);
  }
  let equal = 0;
  for (let i = 0; i < count; i++) {
    const [first, second] = [probabilities.voxels[i], probabilities.voxels[count + i]];
    const all = [255 - first - second, first, second];
    assert.ok(all[0] >= -1, `${first} and ${second} of 255`);
    const most = Math.max(...all);
    assert.ok(Math.abs(certainty.voxels[i] - most) <= 1, `${certainty.voxels[i]} ${all}`);
    if (all[labels.voxels[i]] === most) equal++;
  }
  // The label map has lost strays, and its border between two labels is a plane.
  assert.ok(equal / count > 0.995 && equal < count, `${equal} of ${count}`);
});

test("sixteen bits hold the same, finer", () => {
  const out = scratch();
  const of = (bits) => {
    const path = join(out, `${bits}_probseg.nii`);
    assert.equal(dinomed3d("segment", sample, "--model", model, "--probability-bits", bits, "-o", path).status, 0);
    return readNifti(path);
  };
  const [coarse, fine] = [of("8"), of("16")];
  assert.equal(fine.view.getInt16(70, true), 512);
  assert.ok(fine.voxels.every((value, i) => Math.abs(value / 257 - coarse.voxels[i]) <= 0.51));
  assert.ok(fine.voxels.some((value) => value % 257 !== 0));
  const refused = dinomed3d("segment", sample, "--model", model, "--probability-bits", "12", "-o", join(out, "y_probseg.nii"));
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /expected is 8 or 16/);
});

test("many scans have them beside the rest, and what lacks them is not finished", () => {
  const [scans, out] = [join(scratch(), "in"), scratch()];
  mkdirSync(scans);
  copyFileSync(sample, join(scans, "crop.nii.gz"));
  const run = (...words) => JSON.parse(dinomed3d("segment", scans, "--out", out, "--model", model, ...words).stdout.trim().split("\n")[0]).status;
  assert.equal(run(), "done");
  assert.ok(!existsSync(join(out, "crop_probseg.nii.gz")));
  assert.equal(run("--also", "probseg.nii.gz,certainty.nii.gz"), "done");
  for (const name of ["crop_probseg.nii.gz", "crop_probseg.json", "crop_certainty.nii.gz"]) assert.ok(existsSync(join(out, name)), name);
  assert.equal(run("--also", "probseg.nii.gz,certainty.nii.gz"), "finished");
  assert.deepEqual(readdirSync(out).filter((name) => name.endsWith(".part")), []);
});

test("of two networks there are none, which is said before anything is computed", () => {
  const out = scratch();
  const said = dinomed3d("segment", head, "--closer", model, "-o", join(out, "x_probseg.nii.gz"));
  assert.equal(said.status, 2, said.stderr);
  assert.match(said.stderr, /probabilities are those of one network, and head and hippocampus share this scan/);
  assert.deepEqual(readdirSync(out), []);
});
