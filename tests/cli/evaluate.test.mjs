// `dinomed3d evaluate`: what it writes, both conventions, cross-validation; and `report`.

import assert from "node:assert/strict";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";
import { makeData, makeRecipe } from "./boxes.mjs";

const NOTICE = /Research and education only; not a medical device\./;

/** A folder of predictions and one of references: two cases of labels 1 and 2, in voxels of 1 × 1 × 3 mm. */
function makePairs() {
  const folder = scratch();
  const [predictions, references] = ["predictions", "references"].map((name) => join(folder, name));
  for (const name of [predictions, references]) mkdirSync(name);
  const write = (path, value) => {
    const bytes = makeNifti([4, 4, 4], value);
    bytes.writeFloatLE(3, 76 + 4 * 3);
    bytes.writeFloatLE(3, 280 + 16 * 2 + 8);
    writeFileSync(path, bytes);
  };
  // One voxel of label 1, predicted one voxel longer along z; label 2 in nothing but the second reference.
  const column = (from, to) => (x, y, z) => Number(x === 1 && y === 1 && z >= from && z < to);
  write(join(predictions, "one, long.nii"), column(1, 3));
  write(join(references, "one, long.nii"), column(1, 2));
  write(join(predictions, "two.nii"), column(0, 2));
  write(join(references, "two.nii"), (x, y, z) => column(0, 2)(x, y, z) || (x === 3 ? 2 : 0));
  return { folder, words: ["--predictions", predictions, "--references", references] };
}

const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `${found}, expected is ${expected}`);

/** The fields of comma-separated values; none of ours holds a line's end. */
const fields = (line) => [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].slice(0, -1).map(([, field]) => field.replace(/^"|"$/g, "").replaceAll('""', '"'));

test("scores go into a table, JSON, CSV and a picture", () => {
  const { folder, words } = makePairs();
  const [json, csv, picture] = ["scores.json", "scores.csv", "scores.svg"].map((name) => join(folder, name));
  const said = dinomed3d("evaluate", ...words, "--json", json, "--csv", csv, "--picture", picture);
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /95 % percentile bootstrap/);
  assert.match(said.stdout, NOTICE);

  // By hand: Dice 2/3 and 1; label 2 absent from both of the first case (left out), missed in the second (0).
  const { statistics, convention, cases } = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(convention.name, "native");
  const [one, two] = statistics.labels;
  near(one.dice.mean, 5 / 6);
  near(one.dice.lowerQuartile, 2 / 3 + 1 / 12);
  near(one.hd95Mm.maximum, 2.7);
  assert.deepEqual([two.emptyReference, two.emptyPrediction, two.hd95Mm.cases, two.hd95Mm.undefined], [1, 2, 0, 2]);
  assert.deepEqual([two.dice.mean, two.dice.cases, two.dice.undefined], [0, 1, 1]);
  near(cases[0].meanDice, 2 / 3);
  const { labelMeans, mean } = JSON.parse(readFileSync(json, "utf8"));
  assert.deepEqual([labelMeans[1].missed, labelMeans[1].invented, labelMeans[1].absent, labelMeans[1].hd95Mm], [1, 0, 1, null]);
  near(mean.dice, 5 / 12);
  assert.match(said.stdout, /label 2: missed in 1, invented in 0, absent from both in 1 of 2 cases; HD95 and ASSD are of the other 0/);
  const printed = JSON.parse(dinomed3d("evaluate", ...words, "--json").stdout);
  assert.deepEqual(printed, JSON.parse(readFileSync(json, "utf8")), "the same scores have the same intervals");

  const rows = readFileSync(csv, "utf8").split("\r\n");
  assert.equal(rows.length, 1 + 2 * 2 + 1);
  const [header, first, second] = rows.map(fields);
  const cell = (row, name) => row[header.indexOf(name)];
  assert.equal(cell(first, "case"), "one, long");
  near(Number(cell(first, "dice")), 2 / 3);
  assert.deepEqual([cell(second, "label"), cell(second, "dice"), cell(second, "hd95_mm"), cell(second, "present_in")], ["2", "", "", "neither"]);
  const missed = fields(rows[4]);
  assert.deepEqual([cell(missed, "dice"), cell(missed, "hd95_mm"), cell(missed, "present_in")], ["0", "", "reference"]);

  const svg = readFileSync(picture, "utf8");
  for (const text of [NOTICE, /label 1/, /HD95, mm/, /Cases without HD95.*2 of label 2/]) assert.match(svg, text);
  assert.doesNotMatch(svg, /NaN|inf/);
});

test("the paper's convention resizes to the model's grid and counts its voxels as 1 mm", () => {
  const { words } = makePairs();
  const asked = dinomed3d("evaluate", ...words, "--convention", "paper");
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /--grid/);
  const said = dinomed3d("evaluate", ...words, "--convention", "paper", "--grid", model, "--json");
  assert.equal(said.status, 0, said.stderr);
  const report = JSON.parse(said.stdout);
  assert.equal(report.convention.name, "paper");
  // By hand, on the model's grid of 1 mm: the voxel is three long, the prediction six; distances six zeros, 1, 2 and 3.
  const [score] = report.cases[0].labels;
  near(score.dice, 2 / 3);
  near(score.hd95Mm, 2.6);
  near(score.assdMm, 6 / 9);
  // The native way gives 2.7 and 1, see above.
  assert.match(dinomed3d("evaluate", ...words, "--convention", "paper", "--grid", model).stdout, /cube of 1 mm/);
});

test("one stray voxel of a label that no reference holds lifts no mean", () => {
  const { folder, words } = makePairs();
  const score = () => {
    const said = dinomed3d("evaluate", ...words, "--json");
    assert.equal(said.status, 0, said.stderr);
    return JSON.parse(said.stdout);
  };
  const before = score();
  const prediction = join(folder, "predictions/two.nii");
  const bytes = readFileSync(prediction);
  bytes.writeFloatLE(9, bytes.length - 4);
  writeFileSync(prediction, bytes);
  const after = score();
  assert.deepEqual(after.labels.map(({ value }) => value), [1, 2]);
  assert.equal(after.mean.dice, before.mean.dice);
  assert.deepEqual(after.cases[1].ghosts.map(({ label }) => label), [9]);
  near(before.cases[1].meanDice, 1 / 2);
  near(after.cases[1].meanDice, 1 / 3);
  assert.match(dinomed3d("evaluate", ...words).stdout, /ghost labels: 9 in two/);
  // Named, it is a label like others.
  const named = JSON.parse(dinomed3d("evaluate", ...words, "--labels", "1,9", "--json").stdout);
  assert.deepEqual(named.labelMeans.map(({ label, absent }) => [label, absent]), [[1, 0], [9, 1]]);
  near(named.labelMeans[0].dice, 5 / 6);
  assert.equal(named.labelMeans[1].dice, 0);
});

test("what is passed over is named and counted, whatever its name", () => {
  const { folder, words } = makePairs();
  const box = makeNifti([4, 4, 4], (x) => Number(x > 1));
  for (const side of ["predictions", "references"]) {
    writeFileSync(join(folder, side, "Loud.NII"), box);
    // Latin-1: no UTF-8.
    writeFileSync(Buffer.concat([Buffer.from(join(folder, side, "f")), Buffer.from([0xfc]), Buffer.from("nf.nii")]), box);
  }
  writeFileSync(join(folder, "predictions/extra.nii"), box);
  writeFileSync(join(folder, "predictions/notes.txt"), "");
  const said = dinomed3d("evaluate", ...words);
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stderr, /passed over: .*extra\.nii: it has no reference\n.*notes\.txt/);
  assert.match(said.stdout, /in no mean, 2 passed over: .*extra\.nii/);
  const report = JSON.parse(dinomed3d("evaluate", ...words, "--json").stdout);
  assert.equal(report.passedOver.length, 2);
  assert.deepEqual(report.cases.map(({ case: name }) => name), ["Loud", "f\ufffdnf", "one, long", "two"]);
  // A reference in capitals without a prediction is missing as any other.
  writeFileSync(join(folder, "references/More.NII.GZ"), box);
  const missing = dinomed3d("evaluate", ...words);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /for 1 of 5 references: More/);
});

test("a label map may be a pair", () => {
  const folder = scratch();
  const single = join(folder, "single.nii");
  const bytes = makeNifti([4, 4, 4], (x) => Number(x > 1));
  writeFileSync(single, bytes);
  const header = Buffer.from(bytes.subarray(0, 348));
  header.write("ni1\0", 344, "latin1");
  header.writeFloatLE(0, 108);
  writeFileSync(join(folder, "pair.hdr"), header);
  writeFileSync(join(folder, "pair.img"), bytes.subarray(352));
  for (const file of ["pair.hdr", "pair.img"]) {
    const found = dinomed3d("evaluate", "--predictions", join(folder, file), "--references", single, "--json");
    assert.equal(found.status, 0, found.stderr);
    assert.equal(JSON.parse(found.stdout).cases[0].meanDice, 1);
  }
});

test("no result goes over what is read, and two results are two files", () => {
  const { folder, words } = makePairs();
  const reference = join(folder, "references/two.nii");
  const before = readFileSync(reference);
  symlinkSync(reference, join(folder, "link.csv"));
  linkSync(reference, join(folder, "hard.json"));
  for (const [option, path] of [
    ["--csv", reference],
    ["--csv", join(folder, "link.csv")],
    ["--json", join(folder, "hard.json")],
    ["--picture", join(folder, "predictions/../references/two.nii")],
  ]) {
    const said = dinomed3d("evaluate", ...words, option, path);
    assert.equal(said.status, 2, path);
    assert.match(said.stderr, /would replace .*two\.nii, which is read/);
    assert.deepEqual(readFileSync(reference), before);
  }
  const scores = join(folder, "scores");
  const twice = dinomed3d("evaluate", ...words, "--csv", scores, "--json", join(folder, "predictions/../scores"));
  assert.equal(twice.status, 2);
  assert.match(twice.stderr, /are one file/);
  assert.ok(!existsSync(scores));
  // A folder is no file, and is said to be none before anything is scored.
  const onto = dinomed3d("evaluate", ...words, "--csv", join(folder, "predictions"));
  assert.match(onto.stderr, /predictions is there and no file/);
});

test("what is not there is named, whichever of the two it is", () => {
  const folder = scratch();
  for (const [predictions, references] of [[folder, join(folder, "lost")], [join(folder, "lost"), folder]]) {
    const said = dinomed3d("evaluate", "--predictions", predictions, "--references", references);
    assert.equal(said.status, 2);
    assert.match(said.stderr, /lost is not there: expected is a label map or a folder of them/);
  }
});

test("what cannot be written leaves no file, and a wrong fold is named", () => {
  const { folder, words } = makePairs();
  const csv = join(folder, "nowhere", "scores.csv");
  const said = dinomed3d("evaluate", ...words, "--csv", csv);
  assert.equal(said.status, 2);
  assert.match(said.stderr, /nowhere/);
  const fold = dinomed3d("evaluate", "--model", model, "--data", folder, "--validation-fold", "5");
  assert.equal(fold.status, 2);
  assert.match(fold.stderr, /--validation-fold is 5, expected is a number below --validation-every, 5/);
  // As for the other commands that score a model.
  const drawn = dinomed3d("evaluate", "--model", model, "--data", folder, "--recipe", join(root, "recipes/hippocampus.toml"));
  assert.equal(drawn.status, 2);
  assert.match(drawn.stderr, /hippocampus\.toml has no \[synthesis\]/);
});

test("a cross-validation scores every case once, by the run that did not see it; each run has a report", (t) => {
  const folder = scratch();
  const [data, recipe, runs] = ["data", "recipe.toml", "runs"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  const words = ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", runs, "--stage1-epochs", "1", "--stage2-epochs", "3"];
  for (const [folds, reason] of [
    ["0", /--folds is 0, expected is 2 or more/],
    ["1", /--folds is 1, expected is 2 or more/],
    ["11", /--folds is 11, and fold 11 holds out no case/],
  ]) {
    const refused = dinomed3d(...words, "--folds", folds);
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, reason);
    assert.ok(!existsSync(runs));
  }
  const trained = dinomed3d(...words, "--folds", "2");
  assert.equal(trained.status, 0, trained.stderr);

  const csv = join(folder, "scores.csv");
  const said = dinomed3d("evaluate", "--folds", runs, "--data", data, "--json", "--csv", csv);
  assert.equal(said.status, 0, said.stderr);
  const report = JSON.parse(said.stdout);
  t.diagnostic(`mean Dice of both folds: ${report.mean.dice.toFixed(3)}`);
  const names = report.cases.map(({ case: name, fold }) => [name, fold]).sort();
  const expected = Array.from({ length: 10 }, (_, i) => [`box_${i}`, 1 + (i % 2)]);
  assert.deepEqual(names, expected);
  assert.deepEqual(report.folds.map(({ fold, cases }) => [fold, cases]), [[1, 5], [2, 5]]);
  assert.equal(report.statistics.labels[0].dice.cases, 10);
  assert.equal(report.labels[0].name, "Box");
  assert.match(readFileSync(csv, "utf8"), /^case,fold,label,name,/);

  // Remade, a report is the same, and says of the run what `evaluate` says of its fold.
  const run = join(runs, "fold-2");
  const before = readFileSync(join(run, "report.html"), "utf8");
  const remade = dinomed3d("report", run, "--data", data);
  assert.equal(remade.status, 0, remade.stderr);
  assert.equal(readFileSync(join(run, "report.html"), "utf8"), before);
  assert.match(before, NOTICE);
  assert.equal(before.match(/<img /g).length, 4 * 3);
  assert.equal(before.match(/alt="box_\d, (axial|coronal|sagittal) slice/g).length, 4 * 3);
  assert.doesNotMatch(before, /(src|href)="(https?:)?\/\//, "it needs nothing from elsewhere");
  assert.match(readFileSync(join(run, "curves.svg"), "utf8"), /stage 1[\s\S]*stage 2/);
  const { cases } = JSON.parse(readFileSync(join(run, "validation.json"), "utf8"));
  const ofFold = report.cases.filter(({ fold }) => fold === 2);
  assert.deepEqual(cases.map((scores) => scores.labels), ofFold.map((scores) => scores.labels));
  assert.equal(readFileSync(join(run, "validation.csv"), "utf8").split("\r\n").length, 1 + 5 + 1);
  assert.deepEqual(readdirSync(run).filter((name) => name.endsWith(".part")), []);

  // Two runs that held out the same cases are no cross-validation.
  writeFileSync(join(run, "splits.json"), readFileSync(join(runs, "fold-1/splits.json")));
  const twice = dinomed3d("evaluate", "--folds", runs, "--data", data);
  assert.equal(twice.status, 2);
  assert.match(twice.stderr, /10 of 10 are not: box_0 by fold-1 and fold-2, box_1 by none/);
  renameSync(run, join(runs, "fold-3"));
  const gap = dinomed3d("evaluate", "--folds", runs, "--data", data);
  assert.equal(gap.status, 2);
  assert.match(gap.stderr, /\[1, 3\].*fold-1, fold-2/);
  const empty = scratch();
  assert.match(dinomed3d("report", empty, "--data", data).stderr, /recipe\.toml/);
  assert.ok(!existsSync(join(empty, "report.html")));
});
