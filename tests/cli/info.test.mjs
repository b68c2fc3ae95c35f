// `dinomed3d info` against nibabel's reading of odd files.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { makeNifti } from "../nifti.mjs";
import { data, dinomed3d, scratch, without } from "../places.mjs";

/** Rows of a CSV file with quotes, as objects. */
function table(path) {
  const rows = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain));
  const [head, ...body] = rows;
  return body.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i]])));
}

function close(found, expected, tolerance, what) {
  const scale = Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(found - expected) <= tolerance * scale, `${what}: ${found}, nibabel ${expected}`);
}

test("facts equal nibabel's", { skip: without("nifti/valid/INDEX.csv") }, async (t) => {
  const rows = table(join(data, "nifti/valid/INDEX.csv")).filter((row) => row.nibabel === "ok" && row.ver === "1" && row.axcodes);
  let compared = 0;
  for (const row of rows) {
    const said = dinomed3d("info", "--json", join(data, "nifti/valid", row.file));
    if (said.status !== 0) {
      // Pairs of .hdr and .img, and types that are no numbers, are beyond this program: it has to say so.
      assert.equal(said.status, 2, row.file);
      assert.match(said.stderr, /^dinomed3d: in .*: .+/, row.file);
      t.diagnostic(`${row.file} is refused: ${said.stderr.trim().split(": ").slice(2).join(": ")}`);
      continue;
    }
    const info = JSON.parse(said.stdout);
    assert.equal(info.shape.join("x"), row.shape, row.file);
    assert.equal(info.axisCodes, row.axcodes, row.file);
    const affine = row.affine.split(" ").map(Number);
    affine.forEach((value, i) => close(info.affine[Math.floor(i / 4)][i % 4], value, 1e-4, `${row.file} affine ${i}`));
    for (const name of ["min", "max"]) {
      if (row[name] !== "" && Number.isFinite(Number(row[name]))) close(info[name], Number(row[name]), 1e-5, `${row.file} ${name}`);
    }
    compared += 1;
  }
  t.diagnostic(`${compared} of ${rows.length} files compared`);
  assert.ok(compared >= 20, `${compared}`);
});

test("malformed files end with code 2 and a reason", { skip: without("nifti/malformed/INDEX.csv") }, () => {
  for (const { file } of table(join(data, "nifti/malformed/INDEX.csv"))) {
    const said = dinomed3d("info", join(data, "nifti/malformed", file));
    assert.equal(said.status, 2, `${file}: ${said.stdout}`);
    assert.match(said.stderr, /^dinomed3d: in .*: .+/, file);
    assert.doesNotMatch(said.stderr, /panicked/, file);
  }
});

test("a made file is described, for people and as JSON", () => {
  const path = join(scratch(), "made.nii");
  writeFileSync(path, makeNifti([4, 3, 2], (x, y, z) => x + 10 * y + 100 * z));
  const info = JSON.parse(dinomed3d("info", "--json", path).stdout);
  assert.deepEqual(info.shape, [4, 3, 2]);
  assert.equal(info.axisCodes, "RAS");
  assert.deepEqual(info.spacingMm, [1, 1, 1]);
  assert.equal(info.datatype, "float32");
  assert.deepEqual([info.min, info.max, info.mean], [0, 123, 61.5]);
  assert.match(dinomed3d("info", path).stdout, /shape +4 × 3 × 2/);
});

test("a file in microns is described in mm", () => {
  const path = join(scratch(), "microns.nii");
  const bytes = makeNifti([4, 3, 2], (x) => x);
  bytes.writeUInt8(3 + 16, 123);
  writeFileSync(path, bytes);
  const info = JSON.parse(dinomed3d("info", "--json", path).stdout);
  assert.deepEqual(info.spacingMm, [1e-3, 1e-3, 1e-3]);
  assert.equal(info.affine[1][1], 1e-3);
});

test("what follows the voxels is passed over, compressed or not", () => {
  const folder = scratch();
  const series = makeNifti([4, 3, 2, 500], (x, y, z) => x + 10 * y + 100 * z);
  series.writeInt16LE(3, 40);
  for (const [name, bytes] of [["series.nii", series], ["series.nii.gz", gzipSync(series)]]) {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const said = dinomed3d("info", "--json", path);
    assert.equal(said.status, 0, said.stderr);
    const info = JSON.parse(said.stdout);
    assert.deepEqual([info.shape, info.max], [[4, 3, 2], 123]);
  }
});
