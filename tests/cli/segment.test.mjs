// `dinomed3d segment` and `evaluate`, as a person calls them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { agreement, dice, makeNifti, readNifti } from "../nifti.mjs";
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
    const said = dinomed3d("segment", image, "-o", join(folder, name), "--model", model);
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
  assert.equal(dinomed3d("segment", scan, "-o", output, "--model", model).status, 0);
  const said = dinomed3d("evaluate", "--predictions", output, "--references", reference, "--json");
  const { labelMeans } = JSON.parse(said.stdout);
  assert.equal(labelMeans.length, 2);
  for (const { label, dice } of labelMeans) assert.ok(dice >= 0.5, `label ${label}: ${dice}`);
});

test("strokes of a label that the model has not, or on what two networks share, teach nothing and write nothing", () => {
  const folder = scratch();
  const [strokes, output] = [join(folder, "strokes.json"), join(folder, "learnt.nii.gz")];
  const learn = (scan, values, voxels = [40000, 40001], end = "") => {
    writeFileSync(strokes, JSON.stringify(values.map((value) => ({ value, voxels }))));
    return dinomed3d("learn", join(root, "public/samples", scan), "--model", model, "--strokes", strokes, "-o", `${output}${end}`);
  };
  const unknown = learn("sample.nii.gz", [1, 9, 0, 7, 9]);
  assert.equal(unknown.status, 2, unknown.stderr);
  assert.match(unknown.stderr, /in .*strokes\.json: strokes have the labels 7, 9, expected are those of hippocampus: 0 to erase, 1 Anterior, 2 Posterior/);
  assert.ok(!existsSync(output));
  const shared = learn("head.nii.gz", [1]);
  assert.equal(shared.status, 2, shared.stderr);
  assert.match(shared.stderr, /learning from strokes: .*head and hippocampus share this scan/);
  assert.ok(!existsSync(output));
  for (const none of [learn("sample.nii.gz", []), learn("sample.nii.gz", [1], [])]) {
    assert.equal(none.status, 2, none.stdout);
    assert.match(none.stderr, /expected is a list of strokes, .*; found is none that has a voxel/);
  }
  // What the network said is no answer of what it has learnt.
  const before = learn("sample.nii.gz", [1], [40000], "_probseg.nii.gz");
  assert.equal(before.status, 2, before.stdout);
  assert.match(before.stderr, /_probseg\.nii\.gz would hold what the network said before it learnt/);
  const known = learn("sample.nii.gz", [1, 0]);
  assert.equal(known.status, 0, known.stderr);
  const { voxels } = readNifti(output);
  assert.deepEqual([voxels[40000], voxels[40001]], [0, 0], "the later stroke is on top");
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
  // What only a header can tell is told before anything is computed, also where nothing would be.
  for (const [input, words, reason] of [
    [series, [], /series\.nii holds 4 volumes: one is expected, which --volume chooses/],
    [series, ["--volume", "4"], /no volume 4: found are 4, so 0 to 3 is expected/],
    [flat, ["--volume", "1"], /no volume 1: found are 1, so 0 to 0 is expected/],
    [flat, ["--series", "0"], /flat\.nii is no DICOM, so it has no series to choose/],
  ]) {
    const said = dinomed3d("segment", input, "--preflight", "--model", model, ...words);
    assert.equal(said.status, 2, said.stdout);
    assert.match(said.stderr, reason);
  }
  assert.equal(dinomed3d("segment", series, "--preflight", "--model", model, "--volume", "3").status, 0);
  const sample = join(root, "public/samples/sample.nii.gz");
  const nowhere = dinomed3d("segment", sample, "-o", join(folder, "no/such/folder.nii.gz"));
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /writing .*folder\.nii\.gz/);
  const device = dinomed3d("segment", sample, "-o", output, "--device", "quantum");
  assert.equal(device.status, 2);
  assert.match(device.stderr, /"quantum".*cpu/);
});

test("a scan is never replaced by its labels, however it is named", () => {
  const folder = scratch();
  const scan = join(folder, "scan.nii.gz");
  const before = readFileSync(join(root, "public/samples/sample.nii.gz"));
  writeFileSync(scan, before);
  mkdirSync(join(folder, "sub"));
  symlinkSync(scan, join(folder, "link.nii.gz"));
  symlinkSync(folder, join(folder, "sub/up"));
  linkSync(scan, join(folder, "hard.nii.gz"));
  for (const name of ["scan.nii.gz", "sub/../scan.nii.gz", "link.nii.gz", "hard.nii.gz", "sub/up/scan.nii.gz"]) {
    const output = `${folder}/${name}`;
    for (const [input, other] of [[scan, output], [output, scan]]) {
      const said = dinomed3d("segment", input, "-o", other);
      assert.equal(said.status, 2, name);
      assert.match(said.stderr, /would replace .*nii\.gz, which is read/);
      assert.deepEqual(readFileSync(scan), before, name);
    }
  }
  const weights = join(folder, "model");
  cpSync(model, weights, { recursive: true });
  const onModel = dinomed3d("segment", scan, "-o", join(weights, "weights.safetensors"), "--model", weights);
  assert.match(onModel.stderr, /would replace .*weights/);
  assert.equal(dinomed3d("segment", scan, "-o", "/dev/null").status, 2);
});

test("no file of a model is replaced, whatever its weights are called", () => {
  const [folder, scan] = [join(scratch(), "model"), join(root, "public/samples/sample.nii.gz")];
  cpSync(model, folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  rmSync(join(folder, manifest.weights.file));
  const weights = "weights-of-another-name.safetensors";
  cpSync(join(model, manifest.weights.file), join(folder, weights));
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...manifest, weights: { ...manifest.weights, file: weights } }));
  const strokes = join(scratch(), "strokes.json");
  writeFileSync(strokes, JSON.stringify([{ value: 1, voxels: [40000] }]));
  for (const name of ["manifest.json", "README.md", weights]) {
    const before = readFileSync(join(folder, name));
    const links = scratch();
    for (const link of ["out.json", "dice.json", "inside.json"]) linkSync(join(folder, name), join(links, link));
    for (const words of [
      ["segment", scan, "-o", join(links, "out.json")],
      ["learn", scan, "--strokes", strokes, "-o", join(links, "out.json")],
      ["inspect", scan, "--out", links],
    ]) {
      const said = dinomed3d(...words, "--model", folder);
      assert.equal(said.status, 2, words.join(" "));
      assert.ok(said.stderr.includes(`would replace ${join(folder, name)}`), said.stderr);
    }
    assert.deepEqual(readFileSync(join(folder, name)), before);
  }
  const plain = dinomed3d("segment", scan, "-o", join(folder, "manifest.json"), "--model", folder);
  assert.match(plain.stderr, /manifest\.json would replace/);
});

test("a suffix in capitals is a suffix", () => {
  const folder = scratch();
  const scan = join(folder, "SCAN.NII.GZ");
  writeFileSync(scan, readFileSync(join(root, "public/samples/sample.nii.gz")));
  for (const [name, isPacked] of [["A.NII.GZ", true], ["B.Nii.gZ", true], ["C.NII", false]]) {
    const said = dinomed3d("segment", scan, "-o", join(folder, name), "--model", model);
    assert.equal(said.status, 0, said.stderr);
    assert.doesNotMatch(said.stderr, /\r/, "a log gets no line that changes");
    assert.equal(readFileSync(join(folder, name))[0] === 0x1f, isPacked, name);
  }
});

test("metres and microns are millimetres of another length", () => {
  const folder = scratch();
  const bytes = Buffer.from(readNifti(join(root, "public/samples/sample.nii.gz")).bytes);
  const labels = (unit, factor) => {
    const [scan, output] = ["scan.nii", "out.nii"].map((name) => join(folder, name));
    const scaled = Buffer.from(bytes);
    scaled.writeUInt8(unit, 123);
    // Edges, the qform's offset and the sform.
    for (const at of [80, 84, 88, 268, 272, 276, ...Array.from({ length: 12 }, (_, i) => 280 + 4 * i)]) {
      scaled.writeFloatLE(bytes.readFloatLE(at) * factor, at);
    }
    writeFileSync(scan, scaled);
    const said = dinomed3d("segment", scan, "-o", output, "--model", model);
    assert.equal(said.status, 0, said.stderr);
    return { voxels: readNifti(output).voxels, table: said.stdout };
  };
  const millimetres = labels(2, 1);
  assert.ok(millimetres.voxels.some((label) => label > 0));
  for (const [unit, factor] of [[1, 1e-3], [3, 1e3]]) {
    const found = labels(unit, factor);
    assert.ok(agreement(found.voxels, millimetres.voxels) > 0.999, `unit ${unit}`);
    assert.match(found.table, /Anterior/);
    // The same volumes in mL.
    const volumes = (table) => table.split("\n").slice(1, 3).map((line) => Number(line.trim().split(/ +/)[2]));
    volumes(found.table).forEach((ml, i) => assert.ok(Math.abs(ml / volumes(millimetres.table)[i] - 1) < 0.02, found.table));
  }
});

test("the default model is found beside the program, where it was installed, and in the user's folder", () => {
  const folder = scratch();
  const program = join(folder, "bin/dinomed3d");
  const elsewhere = join(folder, "elsewhere");
  for (const name of ["bin", "elsewhere"]) mkdirSync(join(folder, name));
  cpSync(process.env.DINOMED3D_BIN, program);
  const scan = join(root, "public/samples/sample.nii.gz");
  const segment = (env = {}) =>
    spawnSync(program, ["segment", scan, "-o", "out.nii"], { cwd: elsewhere, encoding: "utf8", env: { ...process.env, HOME: folder, XDG_DATA_HOME: "", ...env } });
  const nowhere = segment();
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /model head is nowhere: .*public\/models\/head.*bin\/models.*share\/dinomed3d\/models/);
  const data = join(folder, "data");
  // Under the default's name a smaller model, as only its place matters.
  for (const [place, env] of [["bin/models", {}], ["share/dinomed3d/models", {}], ["data/dinomed3d/models", { XDG_DATA_HOME: data }]]) {
    cpSync(model, join(folder, place, "head"), { recursive: true });
    const said = segment(env);
    assert.equal(said.status, 0, `${place}: ${said.stderr}`);
    rmSync(join(folder, place), { recursive: true });
    assert.equal(segment(env).status, 2, place);
  }
});

test("a model with damaged weights is refused", () => {
  const folder = join(scratch(), "damaged");
  mkdirSync(folder);
  const files = readdirSync(model, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of files) {
    const bytes = readFileSync(join(model, name));
    if (name.endsWith(".safetensors")) bytes[bytes.length - 9] ^= 4;
    writeFileSync(join(folder, name), bytes);
  }
  const said = dinomed3d("segment", join(root, "public/samples/sample.nii.gz"), "-o", join(folder, "o.nii"), "--model", folder);
  assert.equal(said.status, 2);
  assert.match(said.stderr, /SHA-256/);
});
