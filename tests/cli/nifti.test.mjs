// `dinomed3d nifti`: what was read is written as NIfTI, whatever it came as.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { makeNifti, readNifti } from "../nifti.mjs";
import { data, dinomed3d, scratch, without } from "../places.mjs";

/** An MGH file of int16 voxels of 1 × 2 × 3 mm, axes to the left, the bottom and the front, its middle at (10, 20, 30) mm. */
function makeMgh([x, y, z, frames], value) {
  const count = x * y * z * frames;
  const bytes = Buffer.alloc(284 + 2 * count);
  [1, x, y, z, frames, 4].forEach((number, i) => bytes.writeInt32BE(number, 4 * i));
  bytes.writeInt16BE(1, 28);
  [1, 2, 3, -1, 0, 0, 0, 0, -1, 0, 1, 0, 10, 20, 30].forEach((number, i) => bytes.writeFloatBE(number, 30 + 4 * i));
  for (let i = 0; i < count; i++) bytes.writeInt16BE(value(i), 284 + 2 * i);
  return bytes;
}

function info(path) {
  const said = dinomed3d("info", "--json", path);
  assert.equal(said.status, 0, said.stderr);
  return JSON.parse(said.stdout);
}

function convert(input, output, ...more) {
  const said = dinomed3d("nifti", input, "-o", output, ...more);
  assert.equal(said.status, 0, said.stderr);
  return said;
}

test("an MGH or MGZ file becomes NIfTI at the same place", () => {
  const folder = scratch();
  const mgh = makeMgh([4, 3, 2, 1], (i) => i - 12);
  for (const [name, bytes] of [["a.mgh", mgh], ["a.mgz", gzipSync(mgh)]]) {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const scan = info(path);
    assert.deepEqual([scan.format, scan.axisCodes, scan.spacingMm], ["MGH", "LIA", [1, 2, 3]]);
    // Voxel (2, 1.5, 1) lies in the middle.
    assert.deepEqual(scan.affine.slice(0, 3).map((row) => row[3]), [12, 17, 33]);
    const output = join(folder, `${name}.nii.gz`);
    convert(path, output);
    const written = readNifti(output);
    assert.deepEqual(written.shape, [4, 3, 2]);
    assert.deepEqual(written.voxels, Array.from({ length: 24 }, (_, i) => i - 12));
    const back = info(output);
    assert.deepEqual([back.format, back.qformCode, back.sformCode, back.datatype], ["NIfTI-1", 1, 1, "int16"]);
    assert.deepEqual(back.affine, scan.affine);
  }
});

test("of several volumes one is written, or all", () => {
  const folder = scratch();
  const path = join(folder, "frames.mgz");
  writeFileSync(path, gzipSync(makeMgh([3, 2, 2, 5], (i) => Math.floor(i / 12))));
  const output = join(folder, "out.nii");
  convert(path, output);
  assert.deepEqual(readNifti(output).shape, [3, 2, 2, 5]);
  convert(path, output, "--volume", "3");
  const chosen = readNifti(output);
  assert.deepEqual([chosen.shape, chosen.voxels], [[3, 2, 2], Array(12).fill(3)]);
  const said = dinomed3d("nifti", path, "-o", output, "--volume", "5");
  assert.equal(said.status, 2);
  assert.match(said.stderr, /frames\.mgz: there is no volume 5: .* 0 to 4 is expected/);
  assert.deepEqual(readNifti(output).voxels, chosen.voxels, "what was there stays");
  // Ones behind three axes are one volume.
  const flat = join(folder, "flat.nii");
  writeFileSync(flat, makeNifti([3, 2, 2, 1, 1], (x) => x));
  assert.equal(info(flat).volumes, 1);
  convert(flat, output, "--volume", "0");
  assert.equal(readNifti(output).voxels.length, 12);
});

test("both files of a pair open it, and neither alone", () => {
  const folder = scratch();
  const single = makeNifti([4, 3, 2], (x, y, z) => x + 10 * y + 100 * z);
  const header = Buffer.from(single.subarray(0, 348));
  header.write("ni1\0", 344, "latin1");
  header.writeFloatLE(0, 108);
  const put = (name, bytes) => writeFileSync(join(folder, name), bytes);
  put("a.hdr", header);
  put("a.img", single.subarray(352));
  put("b.hdr.gz", gzipSync(header));
  put("b.img.gz", gzipSync(single.subarray(352)));
  put("header.hdr", header);
  put("voxels.img", single.subarray(352));
  for (const name of ["a.hdr", "a.img", "b.hdr.gz", "b.img.gz"]) {
    const output = join(folder, "out.nii");
    convert(join(folder, name), output);
    const written = readNifti(output);
    assert.deepEqual(written.voxels, readNifti(single).voxels, name);
    assert.deepEqual(written.geometry, readNifti(single).geometry, name);
  }
  for (const [name, words] of [["header.hdr", /\.img/], ["voxels.img", /\.hdr/]]) {
    const said = dinomed3d("info", join(folder, name));
    assert.equal(said.status, 2);
    assert.match(said.stderr, words, name);
  }
});

test("no input is overwritten, and an output is called what it is", () => {
  const folder = scratch();
  const path = join(folder, "scan.nii");
  writeFileSync(path, makeNifti([4, 3, 2], (x) => x));
  const before = readFileSync(path);
  for (const output of ["scan.nii", "scan.mgz", "folder/scan.nii"]) {
    assert.equal(dinomed3d("nifti", path, "-o", join(folder, output)).status, 2, output);
  }
  assert.deepEqual(readFileSync(path), before);
  assert.ok(!existsSync(join(folder, "scan.mgz")));
});

test("files of every kind are the same when they are written and read", { skip: without("nifti/valid/INDEX.csv") }, () => {
  const folder = scratch();
  const kinds = [
    "analyze75_be_int16.hdr",
    "nifti2_float32_sonly.nii.gz",
    "pair_be_noxform.hdr",
    "pair_gz_int16_4d.img.gz",
    "be_int8_4d_scl_qonly.nii.gz",
    "be_uint8_ext_qs3.nii.gz",
    "float32_2066_nan_oblique.nii.gz",
    "rgba32_4d_tiny.nii",
    "dtype_uint64_3x3x3.nii",
    "vector5d_int16_intent1007.nii.gz",
  ];
  for (const file of kinds) {
    const input = join(data, "nifti/valid", file);
    const output = join(folder, "out.nii.gz");
    convert(input, output);
    const [before, after] = [info(input), info(output)];
    for (const name of ["shape", "axisCodes", "nan"]) assert.deepEqual(after[name], before[name], `${file} ${name}`);
    // Luminance is written in 32 bits, all else as it was stored.
    const tolerance = file.startsWith("rgb") ? 1e-7 * before.max : 0;
    for (const name of ["min", "max", "mean"]) assert.ok(Math.abs(after[name] - before[name]) <= tolerance, `${file} ${name}`);
    after.affine.flat().forEach((value, i) => assert.ok(Math.abs(value - before.affine.flat()[i]) < 1e-5, `${file} affine ${i}`));
    if (before.format.startsWith("NIfTI")) assert.deepEqual([after.format, after.qformCode], [before.format, before.qformCode], file);
  }
  // A file named as another is known by what it holds.
  const renamed = join(folder, "renamed.nii");
  copyFileSync(join(data, "nifti/valid/be_uint8_ext_qs3.nii.gz"), renamed);
  assert.deepEqual(info(renamed).shape, [161, 191, 151, 1]);
});
