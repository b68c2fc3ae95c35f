// `dinomed3d info` against nibabel's reading of odd files.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
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

test("facts equal nibabel's", { skip: without("nifti/valid/INDEX.csv") }, (t) => {
  // Rows of a pair's voxels hold no facts.
  const rows = table(join(data, "nifti/valid/INDEX.csv")).filter((row) => row.ver !== "");
  let compared = 0;
  for (const row of rows) {
    const said = dinomed3d("info", "--json", join(data, "nifti/valid", row.file));
    if (row.dtype.startsWith("complex") || row.file.includes("cifti")) {
      assert.equal(said.status, 2, row.file);
      assert.match(said.stderr, /^dinomed3d: in .*: .*(complex numbers|no volume).*\n$/, row.file);
      continue;
    }
    assert.equal(said.status, 0, said.stderr);
    const info = JSON.parse(said.stdout);
    const isAnalyze = row.file.startsWith("analyze");
    assert.equal(info.format, isAnalyze ? "ANALYZE 7.5" : `NIfTI-${row.ver}`, row.file);
    assert.equal(info.shape.join("x"), row.shape, row.file);
    assert.equal(info.volumes, info.shape.slice(3).reduce((product, edge) => product * edge, 1), row.file);
    assert.equal(info.datatype, row.dtype, row.file);
    if (isAnalyze) assert.equal(info.qformCode, null);
    else assert.equal(`${info.qformCode}/${info.sformCode}`, row.qs, row.file);
    assert.equal(info.axisCodes, row.axcodes, row.file);
    const affine = row.affine.split(" ").map(Number);
    affine.forEach((value, i) => close(info.affine[Math.floor(i / 4)][i % 4], value, 1e-4, `${row.file} affine ${i}`));
    for (const name of ["min", "max"]) {
      if (row[name] !== "" && Number.isFinite(Number(row[name]))) close(info[name], Number(row[name]), 1e-5, `${row.file} ${name}`);
    }
    compared += 1;
  }
  t.diagnostic(`${compared} of ${rows.length} files compared`);
  assert.equal(compared, rows.length - 3);
});

test("malformed files end with code 2 and one sentence, within a second of computing and 200 MB", { skip: without("nifti/malformed/INDEX.csv") }, () => {
  for (const { file } of table(join(data, "nifti/malformed/INDEX.csv"))) {
    const path = join(data, "nifti/malformed", file);
    const limited = ["-c", 'ulimit -v 204800 -t 1; exec "$0" "$@"', process.env.DINOMED3D_BIN, "info", path];
    const said = spawnSync("bash", limited, { encoding: "utf8" });
    assert.equal(said.status, 2, `${file}: ${said.stdout}${said.stderr}`);
    assert.match(said.stderr, /^dinomed3d: in [^\n]*: [^\n]+\n$/, file);
    assert.doesNotMatch(said.stderr, /panicked|no memory/, file);
  }
});

test("what a file leaves open or contradicts itself in is said", () => {
  const path = join(scratch(), "twice.nii");
  const bytes = makeNifti([4, 3, 2], (x) => x);
  // A qform beside the sform, 5 mm away.
  bytes.writeInt16LE(1, 252);
  bytes.writeFloatLE(5, 268);
  writeFileSync(path, bytes);
  assert.match(JSON.parse(dinomed3d("info", "--json", path).stdout).warnings.join(), /qform and sform are up to 5\.0 mm apart/);
  assert.match(dinomed3d("info", path).stdout, /^warning +This file says twice/m);
  bytes.writeFloatLE(0.9, 268);
  writeFileSync(path, bytes);
  assert.deepEqual(JSON.parse(dinomed3d("info", "--json", path).stdout).warnings, []);
  bytes.writeInt16LE(0, 252);
  bytes.writeInt16LE(0, 254);
  writeFileSync(path, bytes);
  assert.match(JSON.parse(dinomed3d("info", "--json", path).stdout).warnings.join(), /does not say how it lies in space/);
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
