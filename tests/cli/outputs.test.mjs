// What `dinomed3d segment` writes besides a label map: the end of a name says it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeSeries } from "../dicom.mjs";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";

const sample = join(root, "public/samples/sample.nii.gz");
const NAMES = ["labels.nii.gz", "labels.nii", "seg.dcm", "surfaces.obj", "volumes.csv", "volumes.tsv", "x_dseg.tsv", "x_itksnap.txt", "x_lut.txt", "x.ctbl", "x.json"];

/** The sample as a DICOM series, whose columns and rows run to the left and to the back. */
function makeFolder() {
  const folder = join(scratch(), "series");
  mkdirSync(folder);
  const { voxels, shape } = readNifti(sample);
  const [columns, rows] = shape;
  const value = (x, y, z) => Math.max(0, Math.round(voxels[(z * rows + rows - 1 - y) * columns + columns - 1 - x]));
  for (const { name, bytes } of makeSeries({ uid: "1.2.3.9", number: 1, description: "crop", shape, spacing: [1, 1, 1], value })) {
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

test("a DICOM series becomes everything that a name can ask for, all of it from one answer", () => {
  const out = scratch();
  const words = NAMES.flatMap((name) => ["-o", join(out, name)]);
  const said = dinomed3d("segment", makeFolder(), "--model", model, ...words);
  assert.equal(said.status, 0, said.stderr);
  const file = (name) => readFileSync(join(out, name));
  const text = (name) => file(name).toString("utf8");
  const { voxels } = readNifti(file("labels.nii.gz"));
  assert.deepEqual(voxels, readNifti(file("labels.nii")).voxels);
  const count = (value) => voxels.filter((voxel) => voxel === value).length;
  assert.ok(count(1) > 300 && count(2) > 300, `${count(1)} and ${count(2)} voxels`);

  assert.equal(file("seg.dcm").toString("latin1", 128, 132), "DICM");
  assert.match(file("seg.dcm").toString("latin1"), /1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.4[\s\S]*1\.2\.3\.9\.1/, "a segmentation that names its slices");
  assert.equal(text("surfaces.obj").match(/^[og] /gm).length, 2);
  for (const [name, between] of [["volumes.csv", ","], ["volumes.tsv", "\t"]]) {
    const [head, ...rows] = text(name).trim().split("\n").map((line) => line.split(between));
    const voxelsOf = rows.map((row) => Number(row[head.indexOf("voxels")]));
    assert.deepEqual(voxelsOf, [count(1), count(2)], name);
  }
  assert.match(text("x_dseg.tsv"), /^index\tname/);
  assert.match(text("x_itksnap.txt"), /^1 \d+ \d+ \d+ 1 1 1 "Anterior"$/m);
  assert.match(text("x_lut.txt"), /^1 Anterior\S* \d+ \d+ \d+ 0$/m);
  assert.match(text("x.ctbl"), /^1 \S+ \d+ \d+ \d+ 255$/m);
  const { Models, Inputs, Notice } = JSON.parse(text("x.json"));
  const manifest = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  const [{ ManifestSHA256, ...used }, ...others] = Models;
  assert.deepEqual([used, others], [{ Name: manifest.name, Version: manifest.version, WeightsSHA256: manifest.weights.sha256 }, []]);
  assert.match(ManifestSHA256, /^[0-9a-f]{64}$/);
  assert.equal(Inputs[0].Name, "series");
  assert.ok(Inputs[0].Path.endsWith("/series"), Inputs[0].Path);
  assert.match(Inputs[0].SHA256, /^[0-9a-f]{64}$/);
  assert.match(Notice, /not a medical device/);
});

test("a scan that was no DICOM gets no DICOM-SEG, and nothing else then", () => {
  const out = scratch();
  const said = dinomed3d("segment", sample, "--model", model, "-o", join(out, "a.nii.gz"), "-o", join(out, "a.dcm"));
  assert.equal(said.status, 2);
  assert.match(said.stderr, /sample\.nii\.gz was no DICOM/);
  assert.ok(!existsSync(join(out, "a.nii.gz")));
});

test("the help says how often an output may be named, as it is", () => {
  for (const [command, may] of [["segment", true], ["learn", false]]) {
    const { stdout } = dinomed3d(command, "--help");
    assert.match(stdout.replace(/\s+/g, " "), /never over what is read.* The end of the name says what is written/);
    assert.equal(/may stand several times/.test(stdout), may, command);
    const twice = dinomed3d(command, "scan.nii", "--strokes", "s.json", "-o", "a.nii", "-o", "b.nii").stderr;
    if (!may) assert.match(twice, /cannot be used multiple times/);
  }
});
