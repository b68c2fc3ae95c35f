// Whole heads on the command line, by the sample head, which was drawn from a label map.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { dice, readNifti } from "../nifti.mjs";
import { dinomed3d, root, scratch } from "../places.mjs";

const sample = join(root, "public/samples/head.nii.gz");
const reference = readNifti(join(root, "public/samples/head_dseg.nii.gz"));
/** Left and right; in the reference one label stands for both. */
const SIDES = { "white matter": [2, 41], cortex: [3, 42], "lateral ventricle": [4, 43], thalamus: [10, 49], putamen: [12, 51], hippocampus: [17, 53] };

function segment(scan, ...words) {
  const output = join(scratch(), "labels.nii.gz");
  const said = dinomed3d("segment", scan, "-o", output, ...words);
  assert.equal(said.status, 0, said.stderr);
  return { ...said, ...readNifti(output) };
}

let whole;
/** What is found in the sample without a further word. */
const byDefault = () => (whole ??= segment(sample));

const count = (voxels, label) => voxels.reduce((sum, voxel) => sum + (voxel === label), 0);

test("a head is labelled by default, left and right apart, on its own grid", (t) => {
  const found = byDefault();
  assert.deepEqual(found.geometry, readNifti(sample).geometry);
  assert.doesNotMatch(found.stderr, /warning/);
  const merged = found.voxels.map((voxel) => Object.values(SIDES).find(([, right]) => right === voxel)?.[0] ?? voxel);
  const [width] = found.shape;
  for (const [name, [left, right]] of Object.entries(SIDES)) {
    const score = dice(merged, reference.voxels, left);
    t.diagnostic(`${name}: Dice ${score.toFixed(3)}`);
    assert.ok(score > 0.6, `${name}: ${score}`);
    // x runs towards the right, and the head stands straight.
    const isOf = (label, isLeft) => found.voxels.filter((voxel, i) => voxel === label && i % width < width / 2 === isLeft).length;
    assert.ok(isOf(left, true) > 0.9 * count(found.voxels, left), `left ${name}`);
    assert.ok(isOf(right, false) > 0.9 * count(found.voxels, right), `right ${name}`);
  }
  assert.match(found.stdout, /right ventral DC\n[\s\S]*not a medical device/);
});

/** The sample with each voxel in another place, `placeOf` of its own, under the same header. */
function moved(placeOf) {
  const scan = Buffer.from(gunzipSync(readFileSync(sample)));
  readNifti(sample).voxels.forEach((voxel, i) => scan.writeInt16LE(voxel, 352 + 2 * placeOf(i)));
  const path = join(scratch(), "moved.nii");
  writeFileSync(path, scan);
  return path;
}

test("a head that lies upside down in its header is said to be unlike those that were learnt from", () => {
  const [width, height, depth] = readNifti(sample).shape;
  const plane = width * height;
  const upsideDown = segment(moved((i) => (depth - 1 - Math.floor(i / plane)) * plane + (i % plane)));
  assert.match(upsideDown.stderr, /warning: Many labels are far from the volumes .* mL \([\d.]+ to [\d.]+\)/);
});

test("a mirrored head has mirrored sides", () => {
  const [width] = readNifti(sample).shape;
  const mirrored = moved((i) => i - (i % width) + width - 1 - (i % width));
  const [found, image] = [byDefault(), segment(mirrored)];
  for (const [name, [left, right]] of Object.entries(SIDES)) {
    const back = image.voxels.map((_, i) => image.voxels[i - (i % width) + width - 1 - (i % width)]);
    for (const [label, other] of [[left, right], [right, left]]) {
      const score = dice(found.voxels.map((v) => (v === label ? 1 : 0)), back.map((v) => (v === other ? 1 : 0)), 1);
      assert.ok(score > 0.9, `${name}: ${score}`);
    }
  }
});

test("the hippocampi are looked at closer, into the label map or by themselves", () => {
  const both = segment(sample, "--closer", "hippocampus");
  const alone = segment(sample, "--model", "hippocampus");
  // The model of the hippocampus knows real scans only; what it finds elsewhere in a drawn one is not taken, and said.
  const present = [...new Set(alone.voxels)].sort((a, b) => a - b);
  assert.ok(present.includes(203) && present.every((label) => [0, 201, 202, 203, 204].includes(label)), `${present}`);
  assert.equal(/lies elsewhere/.test(alone.stderr), !present.includes(201), alone.stderr);
  alone.voxels.forEach((voxel, i) => voxel && assert.equal(both.voxels[i], voxel));
  assert.equal(count(both.voxels, 203), count(alone.voxels, 203));
  const found = alone.voxels.flatMap((voxel, i) => (voxel > 0 ? [reference.voxels[i]] : []));
  assert.ok(count(found, 17) > 0.4 * found.length, `${count(found, 17)} of ${found.length}`);
  assert.match(both.stdout, /right hippocampus, the rest[\s\S]*right anterior hippocampus[\s\S]*right posterior hippocampus/);
  // What is not taken has no parts, and the whole is no rest.
  const [rest, part] = [/left hippocampus, the rest/, /left anterior hippocampus/].map((words) => words.test(both.stdout));
  assert.deepEqual([rest, part], [present.includes(201), present.includes(201)]);
  // Nor is it said to be empty where only the parts are asked for.
  assert.equal(/left anterior hippocampus/.test(alone.stdout), present.includes(201), alone.stdout);
  assert.match(alone.stdout, /right anterior hippocampus/);
  assert.equal(count(alone.voxels, 10) + count(alone.voxels, 2), 0);

  const useless = dinomed3d("segment", sample, "-o", join(scratch(), "o.nii"), "--closer", "head");
  assert.equal(useless.status, 2);
  assert.match(useless.stderr, /head looks closer at nothing/);
});

test("what it would take is told without a label map", () => {
  const said = dinomed3d("segment", sample, "--preflight");
  assert.equal(said.status, 0, said.stderr);
  const [windows, gflop, seconds, , gigabytes] = said.stdout.split("\n")[1].trim().split(/ +/);
  assert.equal(windows, "2");
  assert.match(dinomed3d("segment", sample, "--preflight", "-o", "x.nii").stderr, /cannot be used with/);
  assert.match(dinomed3d("segment", sample, "-o", join(scratch(), "x.mgz")).stderr, /x\.mgz is the name of no result: expected is one that ends in \.nii\.gz/);
  assert.ok(Number(gflop) > 10 && Number(seconds) >= 0 && Number(gigabytes) > 0.05 && Number(gigabytes) < 1, said.stdout);
});
