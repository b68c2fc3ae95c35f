// `dinomed3d segment INPUTS --out DIR`, `bids` and `models`: many scans in one command, as a person or a cluster calls them.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { makeSeries } from "../dicom.mjs";
import { makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";

const sample = join(root, "public/samples/sample.nii.gz");
const OF_EACH = ["dseg.json", "dseg.nii.gz", "dseg.tsv", "volumes.tsv"];

/** A folder in which the sample lies under these names. */
function folderOf(...names) {
  const folder = join(scratch(), "in");
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), readFileSync(sample));
  }
  return folder;
}

/** The same voxels in other bytes. */
const packedAnew = (path) => gzipSync(gunzipSync(readFileSync(path)), { level: 1 });

/** Calls `segment` and reads its lines. */
function many(...words) {
  const said = dinomed3d("segment", "--model", model, ...words);
  return { ...said, lines: said.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)) };
}

const statuses = ({ lines }) => Object.fromEntries(lines.map((line) => [line.case, line.status]));
const filesIn = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();

test("a bad scan is told of and no end; results lie as scans do, equal those of one scan alone, and are not made twice", () => {
  const input = folderOf("a/head.nii.gz", "b/head.nii.gz");
  mkdirSync(join(input, "c"));
  writeFileSync(join(input, "c/bad.nii.gz"), gzipSync(readFileSync(sample).subarray(0, 200)));
  writeFileSync(join(input, "notes.txt"), "no scan");
  const out = join(input, "out");
  const first = many(input, "--out", out);
  assert.equal(first.status, 1, first.stderr);
  assert.deepEqual(statuses(first), { "a/head": "done", "b/head": "done", "c/bad": "failed" });
  assert.match(first.lines[2].error, /bad\.nii\.gz/);
  assert.match(first.stderr, /passed over: 1 files/);
  assert.match(first.stderr, /3 of 3, c\/bad: .*bad\.nii\.gz[\s\S]*1 failed, 2 are done/);
  const expected = ["a", "b"].flatMap((folder) => OF_EACH.map((end) => `${folder}/head_${end}`));
  assert.deepEqual(filesIn(out), [...expected, "dataset_description.json", "volumes.tsv"]);
  const description = join(out, "dataset_description.json");
  const { DatasetType, GeneratedBy, DatasetLinks } = JSON.parse(readFileSync(description, "utf8"));
  assert.deepEqual([DatasetType, GeneratedBy[0].Name, DatasetLinks], ["derivative", "DINO-Med3D", undefined]);
  const own = '{"Name":"one that was there","BIDSVersion":"1.9.0"}';
  writeFileSync(description, own);
  assert.deepEqual(first.lines[0].outputs.sort(), OF_EACH.map((end) => join(out, `a/head_${end}`)));
  const alone = join(scratch(), "alone.nii.gz");
  assert.equal(dinomed3d("segment", sample, "--model", model, "-o", alone).status, 0);
  assert.deepEqual(readNifti(join(out, "a/head_dseg.nii.gz")).bytes, readNifti(alone).bytes);
  const table = readFileSync(join(out, "volumes.tsv"), "utf8").trim().split("\n").map((row) => row.split("\t"));
  assert.deepEqual(table.map((row) => row[0]), ["scan", "a/head", "b/head"]);
  assert.deepEqual(table[0].slice(1), ["anterior_ml", "posterior_ml"]);
  assert.ok(table[1].slice(1).every((cell) => /^\d\.\d{1,6}$/.test(cell) && Number(cell) > 0.3), `${table[1]}`);

  // Results in the folder of scans are no scans; what is finished stays, but for a scan that has changed or a result that is gone.
  const madeAt = readFileSync(join(out, "b/head_dseg.json"), "utf8");
  rmSync(join(out, "a/head_volumes.tsv"));
  assert.deepEqual(statuses(many(input, "--out", out, "--dry-run")), { "a/head": "planned", "b/head": "finished", "c/bad": "planned" });
  assert.deepEqual(statuses(many(input, "--out", out)), { "a/head": "done", "b/head": "finished", "c/bad": "failed" });
  assert.equal(readFileSync(join(out, "b/head_dseg.json"), "utf8"), madeAt);
  assert.equal(readFileSync(description, "utf8"), own);
  const both = () => statuses(many(join(input, "b"), join(input, "a"), "--out", out, "--dry-run"));
  const changed = join(input, "b/head.nii.gz");
  utimesSync(changed, 4e9, 4e9);
  assert.deepEqual(both(), { "a/head": "finished", "b/head": "finished" }, "a date tells nothing");
  writeFileSync(changed, packedAnew(changed));
  utimesSync(changed, 1e9, 1e9);
  assert.deepEqual(both(), { "a/head": "finished", "b/head": "planned" });
  assert.equal(many(join(input, "a"), join(input, "b"), "--out", out, "--dry-run", "--overwrite").lines[0].status, "planned");
});

test("another scan's results are never called finished nor written over, whatever their date", () => {
  const input = folderOf("A/t1.nii.gz", "B/t1.nii.gz", "B/t2.nii.gz");
  const [a, b] = ["A", "B"].map((folder) => join(input, folder, "t1.nii.gz"));
  writeFileSync(b, packedAnew(a));
  for (const path of [a, b]) utimesSync(path, 1e9, 1e9);
  const out = scratch();
  assert.deepEqual(statuses(many(a, "--out", out)), { t1: "done" });
  const before = readFileSync(join(out, "t1_dseg.json"), "utf8");
  for (const dry of [[], ["--dry-run"]]) {
    const said = many(join(input, "B"), "--out", out, ...dry);
    assert.equal(said.status, 1, said.stderr);
    assert.deepEqual(statuses(said), { t1: "failed", t2: dry.length ? "finished" : "done" }, "another scan goes on");
    assert.match(said.lines[0].error, /of another scan .*t1_dseg\.json: found .*A\/t1\.nii\.gz \(SHA-256 [0-9a-f]{16}…\), expected .*B\/t1\.nii\.gz .*--overwrite .*another --out/);
  }
  assert.equal(readFileSync(join(out, "t1_dseg.json"), "utf8"), before);
  // A copy of the same scan is the same scan.
  mkdirSync(join(input, "C"));
  writeFileSync(join(input, "C/t1.nii.gz"), readFileSync(a));
  assert.deepEqual(statuses(many(join(input, "C/t1.nii.gz"), "--out", out)), { t1: "finished" });
  assert.deepEqual(statuses(many(b, "--out", out, "--overwrite")), { t1: "done" });
  assert.deepEqual(statuses(many(b, "--out", out)), { t1: "finished" });
});

test("results by another method are made anew: another manifest of the same weights, other bits, files of another run", () => {
  const input = folderOf("head.nii.gz");
  const out = scratch();
  const other = join(scratch(), "other");
  cpSync(model, other, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(other, "manifest.json"), "utf8"));
  writeFileSync(join(other, "manifest.json"), JSON.stringify({ ...manifest, version: "0.0.1" }));
  const by = (folder, ...words) => {
    const said = dinomed3d("segment", input, "--out", out, "--model", folder, ...words);
    assert.equal(said.status, 0, said.stderr);
    return JSON.parse(said.stdout).status;
  };
  assert.equal(by(other, "--also", "probseg.nii.gz"), "done");
  assert.equal(by(other), "finished", "more than is asked for");
  assert.equal(by(other, "--also", "probseg.nii.gz", "--probability-bits", "16", "--dry-run"), "planned");
  assert.equal(by(model), "done");
  assert.equal(JSON.parse(readFileSync(join(out, "head_dseg.json"), "utf8")).Models[0].Version, manifest.version);
  assert.equal(by(model), "finished");
  assert.equal(by(other, "--dry-run"), "planned");
  assert.ok(existsSync(join(out, "head_probseg.nii.gz")));
  assert.equal(by(model, "--also", "probseg.nii.gz", "--dry-run"), "planned", "the other model's probabilities are there");
  // Of the same name and version, and drawn otherwise.
  writeFileSync(join(other, "manifest.json"), JSON.stringify({ ...manifest, postprocessing: [] }));
  assert.notDeepEqual(manifest.postprocessing, []);
  assert.equal(by(other, "--dry-run"), "planned");
  writeFileSync(join(other, "manifest.json"), JSON.stringify(manifest));
  assert.equal(by(other), "finished", "spaces in a manifest are no method");
});

test("of a pair either file is segmented, packed or not, alone and among others, as the same scan", () => {
  const whole = gunzipSync(readFileSync(sample));
  const header = Buffer.from(whole.subarray(0, 348));
  const offset = whole.readFloatLE(108);
  header.writeFloatLE(0, 108);
  header.write("ni1\0", 344, "latin1");
  const alone = join(scratch(), "alone.nii.gz");
  assert.equal(dinomed3d("segment", sample, "--model", model, "-o", alone).status, 0);
  for (const [end, voxels] of [["img", whole.subarray(offset)], ["img.gz", gzipSync(whole.subarray(offset))]]) {
    const folder = scratch();
    writeFileSync(join(folder, "p.hdr"), header);
    writeFileSync(join(folder, `p.${end}`), voxels);
    for (const [name, status] of [["p.hdr", "done"], [`p.${end}`, "finished"]]) {
      const labels = join(folder, "labels.nii.gz");
      const said = dinomed3d("segment", join(folder, name), "--model", model, "-o", labels);
      assert.equal(said.status, 0, said.stderr);
      assert.deepEqual(readNifti(labels).voxels, readNifti(alone).voxels, name);
      rmSync(labels);
      assert.deepEqual(statuses(many(join(folder, name), "--out", join(folder, "out"))), { p: status }, name);
    }
    assert.deepEqual(statuses(many(folder, "--out", join(folder, "out"))), { p: "finished" });
  }
});

test("what can't be followed or named fails by itself, and the scans around it are done", () => {
  const input = folderOf("a.nii.gz", "z.nii.gz", "sub/b.nii.gz");
  symlinkSync("../annex/gone", join(input, "m.nii.gz"));
  symlinkSync("..", join(input, "sub/up"));
  const latin1 = Buffer.concat([Buffer.from(join(input, "M")), Buffer.from([0xfc]), Buffer.from("ller.nii.gz")]);
  writeFileSync(latin1, readFileSync(sample));
  const out = scratch();
  for (const [dry, well] of [[["--dry-run"], "planned"], [[], "done"]]) {
    const said = many(input, "--out", out, ...dry);
    assert.equal(said.status, 1, said.stderr);
    assert.deepEqual(statuses(said), { a: well, m: "failed", "M\ufffdller": "failed", "sub/b": well, "sub/up": "failed", z: well });
    const error = (name) => said.lines.find((line) => line.case === name).error;
    assert.match(error("m"), /m\.nii\.gz is a link to \.\.\/annex\/gone, which is not there/);
    assert.match(error("sub/up"), /sub\/up is a link to .*\/in, in which it lies/);
    assert.match(error("M\ufffdller"), /M\ufffdller\.nii\.gz is no UTF-8/);
  }
});

test("what of a data set was not fetched or can't be read fails by itself, and sidecars that were not are passed over", () => {
  const folder = scratch();
  const write = (name, make) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    make(join(folder, name));
  };
  const scan = (path) => writeFileSync(path, readFileSync(sample));
  const gone = (path) => symlinkSync("../annex/gone", path);
  write("dataset_description.json", (path) => writeFileSync(path, JSON.stringify({ Name: "made", BIDSVersion: "1.10.0" })));
  write("sub-01/anat/sub-01_T1w.nii.gz", scan);
  write("sub-01/anat/sub-01_T1w.json", gone);
  write("sub-02/anat/sub-02_T1w.nii.gz", gone);
  write("sub-03/anat", gone);
  write("sub-04", (path) => writeFileSync(path, "a file"));
  write("sub-05", gone);
  write("participants.tsv", gone);
  const all = { "sub-01/anat/sub-01": "done", "sub-02/anat/sub-02": "failed", "sub-03/anat": "failed", "sub-04": "failed", "sub-05": "failed" };
  const out = scratch();
  const of = { data: many(folder, "--out", out), app: dinomed3d("bids", folder, scratch(), "participant", "--model", model) };
  of.app.lines = of.app.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  for (const said of Object.values(of)) {
    assert.equal(said.status, 1, said.stderr);
    assert.deepEqual(statuses(said), all);
    const error = (name) => said.lines.find((line) => line.case === name).error;
    assert.match(error("sub-03/anat"), /sub-03\/anat is a link to \.\.\/annex\/gone, which is not there/);
    assert.match(error("sub-04"), /reading .*sub-04: Not a directory/);
    assert.match(error("sub-05"), /sub-05 is a link to/);
    assert.match(said.stderr, /4 failed, 1 are done/);
  }
  const one = many(folder, "--out", out, "--participant-label", "01");
  assert.equal(one.status, 0, one.stderr);
  // As any folder, too.
  rmSync(join(folder, "dataset_description.json"));
  const plain = many(folder, "--out", scratch(), "--dry-run");
  assert.deepEqual(statuses(plain), { "sub-01/anat/sub-01": "planned", "sub-02/anat/sub-02": "failed" });
  assert.match(plain.stderr, /passed over: 5 files/);
});

test("a table that can't be written costs no result, and the exit code is that of a failure", () => {
  const input = folderOf("a.nii.gz", "b.nii.gz");
  const out = scratch();
  // As a full disk, for every user.
  mkdirSync(join(out, "volumes.tsv"));
  const said = many(input, "--out", out);
  assert.equal(said.status, 1, said.stderr);
  assert.deepEqual(statuses(said), { a: "done", b: "done" });
  assert.match(said.stderr, /the results of all 2 scans that are done are in .*, but no table of their volumes: writing .*volumes\.tsv: .*; `dinomed3d volumes .*` tries again/);
  for (const name of ["a", "b"]) for (const end of OF_EACH) assert.ok(existsSync(join(out, `${name}_${end}`)), name);
  rmSync(join(out, "volumes.tsv"), { recursive: true });
  assert.equal(many(input, "--out", out).status, 0);
  assert.ok(existsSync(join(out, "volumes.tsv")));
});

test("of a list each line fails by itself, a mark of its encoding is passed over, and one that names nothing is an error", () => {
  const input = folderOf("a.nii.gz", "b/b.nii.gz");
  const [out, list] = [scratch(), join(input, "list.txt")];
  const [a, b, gone] = ["a.nii.gz", "b/b.nii.gz", "b/gone.nii.gz"].map((name) => join(input, name));
  writeFileSync(list, `\ufeff${a}\r\n${gone}\r\n${b}\r\n`);
  const said = many("--list", list, "--out", out);
  assert.equal(said.status, 1, said.stderr);
  assert.deepEqual(statuses(said), { a: "done", "b/b": "done", "b/gone": "failed" });
  assert.match(said.lines[2].error, /gone\.nii\.gz is not there/);
  writeFileSync(list, Buffer.concat([Buffer.from(`${a}\nM`), Buffer.from([0xfc]), Buffer.from("ller.nii\n")]));
  const line = many("--list", list, "--out", scratch(), "--dry-run");
  assert.deepEqual(line.lines.map((it) => it.status).sort(), ["failed", "planned"], line.stderr);
  for (const [text, error] of [["\n# none\n", /list\.txt names no scan: expected is one a line/], [Buffer.from(`\ufeff${a}`, "utf16le"), /list\.txt is UTF-16/]]) {
    writeFileSync(list, text);
    const none = many("--list", list, "--out", out);
    assert.equal(none.status, 2);
    assert.match(none.stderr, error);
  }
});

test("of a file of two volumes each is a scan of its own", () => {
  const folder = scratch();
  const { voxels, shape } = readNifti(sample);
  const [columns, rows, slices] = shape;
  const value = (x, y, z) => (1 + Math.floor(z / slices)) * voxels[((z % slices) * rows + y) * columns + x];
  writeFileSync(join(folder, "two.nii"), makeNifti([columns, rows, slices, 2], value));
  const of = (volume, ...words) => many(join(folder, "two.nii"), "--out", join(folder, "out"), "--volume", volume, ...words);
  assert.deepEqual(statuses(of("0")), { two: "done" });
  assert.deepEqual(statuses(of("0")), { two: "finished" });
  const other = of("1");
  assert.equal(other.status, 1);
  assert.match(other.lines[0].error, /found .*two\.nii, volume 0 .*expected .*two\.nii, volume 1 /);
});

test("results beside their scans make no data set of them, so that the next run finds the scans again", () => {
  const input = folderOf("head.nii.gz");
  assert.deepEqual(statuses(many(input, "--out", input)), { head: "done" });
  assert.deepEqual(filesIn(input), ["head.nii.gz", ...OF_EACH.map((end) => `head_${end}`), "volumes.tsv"]);
  assert.deepEqual(statuses(many(input, "--out", input)), { head: "finished" });
});

test("shards part the work, each result is by one of them, and their table is gathered afterwards", () => {
  const input = folderOf("a.nii.gz", "b.nii.gz", "c.nii.gz");
  const out = scratch();
  const of = (shard) => many(join(input, "*.nii.gz"), "--out", out, "--shard", shard).lines.map((line) => line.case);
  assert.deepEqual([...of("1/2"), ...of("2/2")], ["a", "c", "b"]);
  assert.ok(!existsSync(join(out, "volumes.tsv")), "no shard knows all");
  assert.equal(dinomed3d("volumes", out).status, 0);
  assert.equal(readFileSync(join(out, "volumes.tsv"), "utf8").trim().split("\n").length, 4);
  for (const wrong of ["0/2", "3/2", "x"]) {
    assert.equal(many(input, "--out", out, "--shard", wrong).status, 2, wrong);
  }
});

test("a run that is killed leaves whole results only, and goes on where it was", async () => {
  const input = folderOf("a.nii.gz", "b.nii.gz", "c.nii.gz", "d.nii.gz");
  const out = scratch();
  const running = spawn(process.env.DINOMED3D_BIN, ["segment", input, "--out", out, "--model", model], { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  await once(running.stdout, "data");
  running.kill("SIGKILL");
  await once(running, "exit");
  for (const name of filesIn(out).filter((name) => name.endsWith("dseg.nii.gz"))) {
    assert.equal(readNifti(join(out, name)).voxels.length, readNifti(sample).voxels.length, name);
  }
  // As a kill in the middle of writing leaves it.
  writeFileSync(join(out, "d_dseg.nii.gz.99.part"), "half");
  const again = many(input, "--out", out);
  assert.equal(again.status, 0, again.stderr);
  const { a, ...others } = statuses(again);
  assert.equal(a, "finished");
  assert.ok(Object.values(others).includes("done"));
  assert.deepEqual(filesIn(out), [...["a", "b", "c", "d"].flatMap((name) => OF_EACH.map((end) => `${name}_${end}`)), "dataset_description.json", "volumes.tsv"]);
});

test("a BIDS data set becomes a derivative, of the participants that are asked for, whatever links it is made of", () => {
  const folder = scratch();
  const write = (name) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    symlinkSync(sample, join(folder, name));
  };
  ["sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz", "sub-02/ses-1/anat/sub-02_ses-1_run-1_T1w.nii.gz"].forEach(write);
  writeFileSync(join(folder, "dataset_description.json"), JSON.stringify({ Name: "made", BIDSVersion: "1.10.0" }));
  const out = join(folder, "derivatives/dinomed3d");
  const app = (...words) => dinomed3d("bids", folder, out, ...words);
  const one = app("participant", "--model", model, "--participant-label", "02", "--skip_bids_validator");
  assert.equal(one.status, 0, one.stderr);
  const label = "sub-02/ses-1/anat/sub-02_ses-1_run-1";
  assert.deepEqual(JSON.parse(one.stdout).case, label);
  assert.ok(existsSync(join(out, `${label}_dseg.nii.gz`)));
  assert.deepEqual(JSON.parse(readFileSync(join(out, `${label}_dseg.json`), "utf8")).Sources, [`bids:raw:${label}_T1w.nii.gz`]);
  const description = JSON.parse(readFileSync(join(out, "dataset_description.json"), "utf8"));
  assert.equal(description.DatasetType, "derivative");
  assert.equal(description.DatasetLinks.raw, folder);
  assert.equal(app("participant", "--model", model).status, 0);
  // Another suffix of a session is another scan, whatever else the session has.
  const first = readFileSync(join(out, "sub-01/anat/sub-01_dseg.json"), "utf8");
  const second = app("participant", "--model", model, "--suffix", "T2w");
  assert.equal(second.status, 0, second.stderr);
  assert.deepEqual(second.stdout.trim().split("\n").map((line) => JSON.parse(line)).map((line) => [line.case, line.status]), [["sub-01/anat/sub-01_desc-T2w", "done"]]);
  assert.equal(readFileSync(join(out, "sub-01/anat/sub-01_dseg.json"), "utf8"), first);
  assert.deepEqual(JSON.parse(readFileSync(join(out, "sub-01/anat/sub-01_desc-T2w_dseg.json"), "utf8")).Sources, ["bids:raw:sub-01/anat/sub-01_T2w.nii.gz"]);
  assert.equal(app("group").status, 0);
  const table = readFileSync(join(out, "volumes.tsv"), "utf8").trim().split("\n").map((row) => row.split("\t"));
  assert.deepEqual(table.map((row) => row.slice(0, 3)), [["participant_id", "session_id", "scan"], ["sub-01", "n/a", "sub-01/anat/sub-01_desc-T2w"], ["sub-01", "n/a", "sub-01/anat/sub-01"], ["sub-02", "ses-1", label]]);
  const missing = app("participant", "--participant-label", "03");
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /no sub-03: there are 01, 02/);
});

test("of a folder of DICOM each series is a scan of its own, also as DICOM-SEG and surfaces", () => {
  const folder = join(scratch(), "patient");
  mkdirSync(folder);
  const { voxels, shape } = readNifti(sample);
  const [columns, rows] = shape;
  const value = (x, y, z) => Math.max(0, Math.round(voxels[(z * rows + rows - 1 - y) * columns + columns - 1 - x]));
  for (const number of [1, 2]) {
    for (const { name, bytes } of makeSeries({ uid: `1.2.3.${number}`, number, description: "crop", shape, spacing: [1, 1, 1], value })) {
      writeFileSync(join(folder, `${number}-${name}`), bytes);
    }
  }
  const out = scratch();
  const said = many(folder, "--out", out, "--also", "seg.dcm,surface.stl");
  assert.equal(said.status, 0, said.stderr);
  assert.deepEqual(statuses(said), { "patient_series-0": "done", "patient_series-1": "done" });
  for (const { outputs } of said.lines) {
    assert.equal(outputs.length, OF_EACH.length + 1 + 2, `${outputs}`);
    for (const path of outputs) assert.ok(existsSync(path), path);
    const surface = outputs.find((path) => path.endsWith("_surface.stl"));
    const bytes = readFileSync(surface);
    assert.equal(bytes.length, 84 + 50 * bytes.readUInt32LE(80), "a binary STL of so many triangles");
  }
  assert.deepEqual(statuses(many(folder, "--out", out)), { "patient_series-0": "finished", "patient_series-1": "finished" });
  for (const end of ["_label-1Anterior_surface.stl", "_label-2Posterior_surface.stl"]) rmSync(join(out, `patient_series-0${end}`));
  rmSync(join(out, "patient_series-1_seg.dcm"));
  const planned = (also) => statuses(many(folder, "--out", out, "--also", also, "--dry-run"));
  assert.deepEqual(planned("surface.stl"), { "patient_series-0": "planned", "patient_series-1": "finished" });
  assert.deepEqual(planned("seg.dcm"), { "patient_series-0": "finished", "patient_series-1": "planned" });
});

test("two scans whose results would be one are refused before anything is read, and no scan is ever written over", () => {
  const input = folderOf("head.nii.gz");
  writeFileSync(join(input, "head.nii"), "");
  const out = scratch();
  const said = many(input, "--out", out);
  assert.equal(said.status, 2);
  assert.match(said.stderr, /head\.nii and .*head\.nii\.gz would both be head_dseg\.nii\.gz/);
  const both = folderOf("head.nii.gz", "head_dseg.nii.gz");
  const over = many(join(both, "head_dseg.nii.gz"), join(both, "head.nii.gz"), "--out", both);
  assert.equal(over.status, 2);
  assert.match(over.stderr, /result of .*head\.nii\.gz would replace .*head_dseg\.nii\.gz/);
  assert.deepEqual(readFileSync(join(both, "head_dseg.nii.gz")), readFileSync(sample));
});

test("models are listed, nothing is said where nobody listens, and a full disk is", () => {
  assert.match(dinomed3d("models").stdout, /^head {2}.*32 labels[\s\S]*^hippocampus {2}/m);
  const shell = (command) => spawnSync("bash", ["-c", `set -o pipefail; ${command}`], { cwd: root, encoding: "utf8", env: { ...process.env, SCAN: sample } });
  const closed = shell(`"$DINOMED3D_BIN" info "$SCAN" | true`);
  assert.doesNotMatch(closed.stderr, /panicked/);
  assert.ok([0, 141].includes(closed.status), `${closed.status}`);
  const checked = shell(`"$DINOMED3D_BIN" check | true`);
  assert.equal(checked.stderr, "");
  assert.ok([0, 141].includes(checked.status), `${checked.status}`);
  const full = shell(`"$DINOMED3D_BIN" info "$SCAN" > /dev/full`);
  assert.equal(full.status, 2);
  assert.match(full.stderr, /writing to stdout: .*space/);
  for (const words of ["--help", "--version", "segment --help"]) assert.equal(shell(`"$DINOMED3D_BIN" ${words} > /dev/full`).status, 2, words);
  const threads = shell(`SLURM_CPUS_PER_TASK=none "$DINOMED3D_BIN" segment "$SCAN" --out "$(mktemp -d)"`);
  assert.equal(threads.status, 2);
  assert.match(threads.stderr, /SLURM_CPUS_PER_TASK is "none"/);
});
