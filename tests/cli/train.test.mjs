// A whole small training run: killed, resumed, exported, used. On made-up cases, with a tiny network.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, root, scratch } from "../places.mjs";
import { EDGE, makeData, makeRecipe, makeShortRecipe, makeTwoChannels } from "./boxes.mjs";

test("a killed run is resumed, exported and segments", async (t) => {
  const folder = scratch();
  const [data, run, recipe, exported] = ["data", "run", "recipe.toml", "models/box"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  const words = ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "2", "--stage2-epochs", "12"];

  // A plane between labels that this data set has not is noticed before anything is trained.
  const whole = readFileSync(recipe, "utf8");
  writeFileSync(recipe, `${whole}\n[plane-cut]\nlabels = ["Box", "Lid"]\ntowards = "S"\n`);
  const refused = dinomed3d(...words);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /plane-cut: "Lid" is no label of the data set; expected two of Box/);
  writeFileSync(recipe, whole);

  const both = dinomed3d(...words.slice(0, -4), "--stage1-epochs", "0", "--stage2-epochs", "0");
  assert.equal(both.status, 2);
  assert.match(both.stderr, /stage1\.epochs and stage2\.epochs is 0 and 0, expected is an epoch of either/);

  // Killed as hard as can be, as soon as stage 2 has gone through two epochs.
  const child = spawn(process.env.DINOMED3D_BIN, words, { cwd: root, stdio: "ignore" });
  const log = () => (existsSync(join(run, "state.json")) ? JSON.parse(readFileSync(join(run, "state.json"), "utf8")).log : []);
  const epochsOfStage2 = () => log().filter((row) => row.stage === 2).length;
  // Meanwhile nobody else trains there.
  while (child.exitCode === null && !existsSync(join(run, "recipe.toml"))) await new Promise((done) => setTimeout(done, 20));
  for (const also of [[], ["--resume"]]) {
    const second = dinomed3d(...words, ...also);
    assert.equal(second.status, 2);
    assert.match(second.stderr, /another training is at work in .*run: expected is another folder|already holds a run/);
  }
  while (child.exitCode === null && epochsOfStage2() < 2) await new Promise((done) => setTimeout(done, 20));
  child.kill("SIGKILL");
  await new Promise((done) => (child.exitCode !== null || child.signalCode ? done() : child.once("exit", done)));
  const before = log();
  assert.ok(epochsOfStage2() < 12, "it was still at work");

  assert.equal(dinomed3d(...words).status, 2, "a folder with a run is not overwritten");
  const resumed = dinomed3d(...words, "--resume");
  assert.equal(resumed.status, 0, resumed.stderr);
  // The last epoch may not have been saved yet when the run was killed.
  const done = before.length - 1;
  // Numbers go through text once more when a run is resumed, which may cost the last digit.
  const rounded = (rows) => JSON.parse(JSON.stringify(rows, (_, value) => (typeof value === "number" ? value.toPrecision(9) : value)));
  assert.deepEqual(rounded(log().slice(0, done)), rounded(before.slice(0, done)), "what was done is not done again");
  const rows = readFileSync(join(run, "log.csv"), "utf8").trim().split("\n");
  assert.equal(rows.length, 1 + 2 + 12);
  assert.match(rows[0], /^stage,epoch,steps,loss,learning_rate,seconds,data_wait,dice_1$/);
  const report = readFileSync(join(run, "report.html"), "utf8");
  assert.match(report, /not a medical device/);
  assert.match(report, /<img [^>]*src="data:image\/png/, "the worst cases are drawn");

  // A model is there also where what is said of it finds no room.
  const command = `"$DINOMED3D_BIN" export "$RUN" --data "$DATA" -o "$EXPORTED" > /dev/full`;
  const unheard = spawnSync("sh", ["-c", command], { cwd: root, env: { ...process.env, RUN: run, DATA: data, EXPORTED: exported } });
  assert.equal(unheard.status, 2);
  assert.ok(existsSync(join(exported, "manifest.json")));
  const said = dinomed3d("export", run, "--data", data, "-o", exported);
  assert.equal(said.status, 0, said.stderr);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "models/index.json"), "utf8")), ["box"]);
  const manifest = JSON.parse(readFileSync(join(exported, "manifest.json"), "utf8"));

  const stroked = dinomed3d("strokes", "--model", exported, "--data", data, "--strokes", "2", "--worst", "1");
  assert.equal(stroked.status, 0, stroked.stderr);
  const lines = stroked.stdout.split("\n");
  assert.match(lines[0], /case +before +painted +learnt +voxels/);
  const [unmended, painted, learnt] = lines[1].trim().split(/\s+/).slice(1).map(Number);
  t.diagnostic(`two strokes in the worst case: ${unmended}, painted ${painted}, learnt ${learnt}`);
  assert.ok(painted > unmended, "what is painted is right");
  assert.ok(learnt > unmended, "what is learnt helps");
  const none = dinomed3d("strokes", "--model", exported, "--data", data, "--strokes", "0");
  assert.equal(none.status, 2);
  assert.match(none.stderr, /--strokes is 0 and --worst 10, expected is 1 at least of both/);

  t.diagnostic(`Dice of the tiny network on boxes: ${manifest.scores.meanDice.toFixed(3)}`);
  assert.ok(manifest.scores.meanDice > 0.5, "it has learnt something");
  assert.match(readFileSync(join(exported, "README.md"), "utf8"), /not a medical device/);

  const output = join(folder, "label.nii");
  const segmented = dinomed3d("segment", join(data, "imagesTr/box_0.nii"), "-o", output, "--model", exported);
  assert.equal(segmented.status, 0, segmented.stderr);
  assert.ok(readNifti(output).voxels.includes(1));

  // Two runs that go on from these weights, and their mean.
  const next = [1, 2].map((seed) => {
    const out = join(folder, `next-${seed}`);
    const init = ["--init", exported, "--seed", String(seed)];
    const epochs = ["--stage1-epochs", "0", "--stage2-epochs", "2"];
    const trained = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", out, ...epochs, ...init);
    assert.equal(trained.status, 0, trained.stderr);
    return out;
  });
  const mean = join(folder, "models/mean");
  const exportMean = (other) => dinomed3d("export", next[0], "--average-with", other, "--data", data, "-o", mean);
  const apart = exportMean(run);
  assert.equal(apart.status, 2);
  assert.match(apart.stderr, /began with random, gone on from an earlier run's weights-[0-9a-f]{8}\.safetensors and random;/);
  assert.ok(!existsSync(mean));
  const averaged = exportMean(next[1]);
  assert.equal(averaged.status, 0, averaged.stderr);
  const { training, scores } = JSON.parse(readFileSync(join(mean, "manifest.json"), "utf8"));
  assert.deepEqual([training.seed, ...training.averagedWith.map((run) => run.seed)], [1, 2]);
  const stepsOfBest = (out) => {
    const rows = JSON.parse(readFileSync(join(out, "state.json"), "utf8")).log;
    return rows.reduce((best, row) => (row.dice[0] >= best.dice[0] ? row : best)).steps;
  };
  assert.deepEqual(training.steps, [0, stepsOfBest(next[0])]);
  assert.deepEqual(training.averagedWith[0].steps, [0, stepsOfBest(next[1])]);
  assert.deepEqual(training.validationCases, ["box_0", "box_5"]);
  const { training: first } = manifest;
  const [ancestor] = training.ancestors;
  assert.deepEqual([ancestor.recipe, ancestor.steps, ancestor.seed], ["box", first.steps, first.seed]);
  assert.deepEqual(ancestor.trainingCases, first.trainingCases);
  assert.match(readFileSync(join(mean, "README.md"), "utf8"), /\| trainings before \| box: stage 1 \(proxy task\) \d+, stage 2 \d+, seed/);

  // Scored on what its manifest says was held out; on other cases it is said that it knows them.
  const scored = (...words) => {
    const said = dinomed3d("evaluate", "--model", exported, "--data", data, "--json", ...words);
    assert.equal(said.status, 0, said.stderr);
    return { names: JSON.parse(said.stdout).cases.map((scores) => scores.case), said };
  };
  const own = scored();
  assert.deepEqual(own.names, ["box_0", "box_5"]);
  assert.doesNotMatch(own.said.stderr, /warning/);
  const others = scored("--validation-every", "5", "--validation-fold", "1");
  assert.deepEqual(others.names, ["box_1", "box_6"]);
  assert.match(others.said.stderr, /warning: the model learnt from 2 of the 2 cases that are scored, says its manifest: box_1, box_6\. Their scores flatter/);

  // Weights that learnt from cases which are to validate now.
  writeFileSync(recipe, whole.replace(/^validation-every = .*$/m, "validation-every = 5\nvalidation-fold = 1"));
  const seen = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", join(folder, "seen"), "--init", exported);
  assert.equal(seen.status, 2);
  assert.match(seen.stderr, /2 of 2 validation cases were learnt from by the training box \(seed \d+\).*: box_1, box_6\./);
  assert.ok(!existsSync(join(folder, "seen")));
  t.diagnostic(`Dice of the mean of two: ${scores.meanDice.toFixed(3)}`);
  assert.ok(scores.meanDice > 0.5, "the mean is a network that works");
  assert.match(readFileSync(join(mean, "README.md"), "utf8"), /the weights are the mean with those of .*seed 2/);
});

test("a data set of nnU-Net with two channels trains, is exported and segments", (t) => {
  const folder = scratch();
  const [data, run, recipe, exported] = ["data", "run", "recipe.toml", "models/two"].map((name) => join(folder, name));
  mkdirSync(data);
  makeTwoChannels(data);
  makeRecipe(recipe);
  const words = ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "1", "--stage2-epochs", "10"];
  const refused = dinomed3d(...words);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /in_channels is 3, expected is 6, for 1 neighbours and the 2 channels of the data set/);

  makeRecipe(recipe, 2);
  const trained = dinomed3d(...words);
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(trained.stderr, /image channels: T1, T2/);
  assert.match(readFileSync(join(run, "report.html"), "utf8"), /<img [^>]*src="data:image\/png/);

  const said = dinomed3d("export", run, "--data", data, "-o", exported);
  assert.equal(said.status, 0, said.stderr);
  const manifest = JSON.parse(readFileSync(join(exported, "manifest.json"), "utf8"));
  assert.deepEqual(manifest.channels, ["T1", "T2"]);
  t.diagnostic(`Dice of the tiny network on boxes of two channels: ${manifest.scores.meanDice.toFixed(3)}`);
  assert.ok(manifest.scores.meanDice > 0.5, "it has learnt something");
  assert.match(readFileSync(join(exported, "README.md"), "utf8"), /channels T1, T2 in this order/);
  const evaluated = dinomed3d("evaluate", "--model", exported, "--data", data, "--json");
  assert.ok(Math.abs(JSON.parse(evaluated.stdout).mean.dice - manifest.scores.meanDice) < 1e-9, evaluated.stderr);

  const segment = (output, ...scans) => dinomed3d("segment", ...scans, "-o", join(folder, output), "--model", exported);
  const scans = [0, 1].map((channel) => join(data, `imagesTr/box_0_000${channel}.nii`));
  const segmented = segment("apart.nii", ...scans);
  assert.equal(segmented.status, 0, segmented.stderr);
  const apart = readNifti(join(folder, "apart.nii"));
  assert.ok(apart.voxels.includes(1));

  const both = scans.flatMap((scan) => readNifti(scan).voxels);
  const joined = join(folder, "both.nii");
  writeFileSync(joined, makeNifti([EDGE, EDGE, EDGE, 2], (x, y, z) => both[(z * EDGE + y) * EDGE + x]));
  const together = segment("together.nii", joined);
  assert.equal(together.status, 0, together.stderr);
  const label = readNifti(join(folder, "together.nii"));
  assert.deepEqual(label.shape, [EDGE, EDGE, EDGE]);
  assert.deepEqual(label.voxels, apart.voxels, "one file of four dimensions is the same scan");

  const alone = segment("alone.nii", scans[0]);
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /one volume is found, expected are 2 channels in this order: T1, T2/);
  assert.ok(!existsSync(join(folder, "alone.nii")));
  const small = join(folder, "small.nii");
  writeFileSync(small, makeNifti([EDGE, EDGE, 8], (x) => x));
  assert.match(segment("small.nii.gz", scans[0], small).stderr, /small\.nii: has \[8, 16, 16\] voxels.*\[16, 16, 16\]/);
});

test("every problem of a data set is named at once", () => {
  const folder = scratch();
  makeData(folder);
  writeFileSync(join(folder, "imagesTr/box_3.nii"), "no scan");
  writeFileSync(join(folder, "labelsTr/box_5.nii"), makeNifti([EDGE, EDGE, 8], () => 0));
  const said = dinomed3d("train", "--no-cache", "--data", folder, "--out", join(folder, "run"));
  assert.equal(said.status, 2);
  assert.match(said.stderr, /box_3\.nii/);
  assert.match(said.stderr, /box_5\.nii.*\[8, 16, 16\]/);
});

test("a short recipe is settled by the data, and prepared cases are kept", () => {
  const folder = scratch();
  const [data, recipe, cache, json] = ["data", "recipe.toml", "cache", "fingerprint.json"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeShortRecipe(recipe);

  const shown = dinomed3d("fingerprint", "--data", data, "--json", json);
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, /label 1 Box: in 10 of 10 cases/);
  const facts = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(facts.numCases, 10);
  assert.deepEqual(facts.spacingMm.median, [1, 1, 1]);
  assert.equal(facts.channels[0].overall.values, undefined, "the sample stays inside");

  const train = (run, name) => dinomed3d("train", "--cache", cache, "--recipe", name, "--data", data, "--out", join(folder, run));
  const first = train("first", recipe);
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /^window = \[16,16,16\]: .+/m);
  assert.match(first.stderr, /^preprocessing\.orientation = "RAS": .+/m);
  assert.match(first.stderr, /prepared 10 cases: 0 from the cache, 10 new, [\d.]+ s/);
  const settled = readFileSync(join(folder, "first/recipe.toml"), "utf8");
  assert.match(settled, /spacingMm = \[/);

  // The recipe of the run leaves nothing open and says the same.
  const second = train("second", join(folder, "first/recipe.toml"));
  assert.equal(second.status, 0, second.stderr);
  assert.doesNotMatch(second.stderr, /window = /);
  assert.match(second.stderr, /prepared 10 cases: 10 from the cache, 0 new/);
  assert.equal(readFileSync(join(folder, "second/recipe.toml"), "utf8"), settled);
  // Seconds differ from run to run, what was learnt does not.
  const learnt = (run) => JSON.parse(readFileSync(join(folder, run, "state.json"), "utf8")).log.map((row) => [row.loss, row.dice]);
  assert.deepEqual(learnt("second"), learnt("first"));

  // The data set grows, and would settle the recipe otherwise; a run that goes on keeps its own.
  const index = JSON.parse(readFileSync(join(data, "dataset.json"), "utf8"));
  for (let number = 10; number < 24; number++) {
    const file = `box_${number}.nii`;
    writeFileSync(join(data, "imagesTr", file), makeNifti([24, 24, 24], (x, y, z) => (x * y + 3 * z) % 301));
    writeFileSync(join(data, "labelsTr", file), makeNifti([24, 24, 24], (x) => Number(x < 5)));
    index.training.push({ image: `./imagesTr/${file}`, label: `./labelsTr/${file}` });
  }
  writeFileSync(join(data, "dataset.json"), JSON.stringify(index));
  const resumed = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", join(folder, "first"), "--resume");
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stderr, /the run goes on by its own recipe, .*first\/recipe\.toml; --recipe is for new runs/);
  assert.doesNotMatch(resumed.stderr, /window = /);
  assert.equal(readFileSync(join(folder, "first/recipe.toml"), "utf8"), settled);
});

test("where no run is nothing is resumed, and nothing made", () => {
  const folder = scratch();
  const [data, run, recipe] = ["data", "run", "recipe.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  for (const words of [[], ["--recipe", recipe], ["--folds", "2"], ["--folds", "2", "--recipe", recipe]]) {
    const said = dinomed3d("train", "--no-cache", "--data", data, "--out", run, "--resume", ...words);
    assert.equal(said.status, 2, `${words}`);
    assert.match(said.stderr, /there is no (run|cross-validation) to go on with in .*run: expected .*without --resume/);
    assert.ok(!existsSync(run));
  }
  // Of a cross-validation the later runs may not have begun, but nobody who goes on with it means the default recipe.
  mkdirSync(join(run, "fold-1"), { recursive: true });
  writeFileSync(join(run, "fold-1/recipe.toml"), readFileSync(recipe));
  const later = dinomed3d("train", "--no-cache", "--data", data, "--out", run, "--resume", "--folds", "2");
  assert.equal(later.status, 2);
  assert.match(later.stderr, /fold-2 has not begun: expected is the --recipe of the other folds/);
  const single = dinomed3d("train", "--no-cache", "--data", data, "--out", run, "--resume");
  assert.match(single.stderr, /what is there is a cross-validation, which --folds goes on with/);
});

test("a recipe without synthesis draws nothing, and is what is said of it", () => {
  const folder = scratch();
  const recipe = join(folder, "recipe.toml");
  makeRecipe(recipe);
  const said = dinomed3d("synthesise", "--recipe", recipe, "--data", folder, "--out", join(folder, "drawn"));
  assert.equal(said.status, 2);
  assert.match(said.stderr, /recipe\.toml has no \[synthesis\]/);
  const synthesise = (...words) => dinomed3d("synthesise", "--recipe", join(root, "recipes/head.toml"), "--data", folder, "--out", join(folder, "drawn"), ...words);
  assert.match(synthesise("--count", "0").stderr, /--count is 0, expected is 1 at least/);
  // A reason is said once, and nothing is made.
  assert.match(synthesise().stderr, /labels\.tsv: No such file or directory \(os error 2\)\n$/);
  assert.ok(!existsSync(join(folder, "drawn")));
});

test("a run keeps its split by name while its data set grows, and says so", () => {
  const folder = scratch();
  const [data, run, recipe, exported] = ["data", "run", "recipe.toml", "models/box"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  const train = (...words) =>
    dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "0", ...words);
  const trained = train("--stage2-epochs", "1");
  assert.equal(trained.status, 0, trained.stderr);
  const splits = () => JSON.parse(readFileSync(join(run, "splits.json"), "utf8"));
  const held = ["box_0", "box_5"];
  assert.deepEqual(splits()[0].val, held);

  // A case that comes first moves all places.
  const index = JSON.parse(readFileSync(join(data, "dataset.json"), "utf8"));
  for (const part of ["imagesTr", "labelsTr"]) writeFileSync(join(data, part, "a.nii"), readFileSync(join(data, part, "box_3.nii")));
  index.training.push({ image: "./imagesTr/a.nii", label: "./labelsTr/a.nii" });
  writeFileSync(join(data, "dataset.json"), JSON.stringify(index));
  const isNew = /1 cases are new in the data set since the run in .* began and take no part: a\n/;

  const reported = dinomed3d("report", run, "--data", data);
  assert.equal(reported.status, 0, reported.stderr);
  assert.match(reported.stderr, isNew);
  const scored = JSON.parse(readFileSync(join(run, "validation.json"), "utf8")).cases.map((scores) => scores.case);
  assert.deepEqual(scored, held);
  const said = dinomed3d("export", run, "--data", data, "-o", exported);
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stderr, isNew);
  const { training } = JSON.parse(readFileSync(join(exported, "manifest.json"), "utf8"));
  assert.deepEqual([training.validationCases, training.trainingCases.length], [held, 8]);

  const refused = train("--resume", "--stage2-epochs", "2", "--seed", "12345");
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /found is --seed 12345: it would go on with other data/);
  const resumed = train("--resume", "--stage2-epochs", "2");
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stderr, isNew);
  assert.match(resumed.stderr, /8 training and 2 validation cases/);
  assert.deepEqual(splits()[0].val, held);

  // A case of the split that is gone is missed by name.
  index.training = index.training.filter((pair) => !pair.image.endsWith("box_5.nii"));
  writeFileSync(join(data, "dataset.json"), JSON.stringify(index));
  const missed = dinomed3d("report", run, "--data", data);
  assert.equal(missed.status, 2);
  assert.match(missed.stderr, /case box_5 of the run's split is not in the data set any more/);
});

test("a report that fails does not undo a training", () => {
  const folder = scratch();
  const [data, run, recipe] = ["data", "run", "recipe.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  // A folder in the place of the page.
  mkdirSync(join(run, "report.html/in-the-way"), { recursive: true });
  const trained = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "0", "--stage2-epochs", "1");
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(trained.stderr, /warning: the training is done and its weights are whole, but there is no report: .*report\.html/);
  assert.ok(existsSync(join(run, "best.safetensors")));
});

test("the folds of a cross-validation are cut at once, and a case that comes later is in none", () => {
  const folder = scratch();
  const [data, out, recipe] = ["data", "out", "recipe.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  const words = ["--no-cache", "--recipe", recipe, "--data", data, "--out", out, "--folds", "2", "--stage1-epochs", "0", "--stage2-epochs", "1"];
  const trained = dinomed3d("train", ...words);
  assert.equal(trained.status, 0, trained.stderr);
  const splits = JSON.parse(readFileSync(join(out, "splits.json"), "utf8"));
  assert.deepEqual(splits[0].val, splits[1].train);
  const again = dinomed3d("train", ...words);
  assert.equal(again.status, 2);
  assert.match(again.stderr, /already holds a cross-validation of 2 folds/);
  // Of a run of before there were splits, what validates is what its recipe says of the data as they are.
  const older = join(out, "fold-2/splits.json");
  renameSync(older, `${older}.kept`);
  const guessed = dinomed3d("evaluate", "--folds", out, "--data", data);
  assert.equal(guessed.status, 0, guessed.stderr);
  assert.match(guessed.stderr, /the run in .*fold-2 has no splits\.json: which cases validate is taken from its recipe/);
  renameSync(`${older}.kept`, older);

  const index = JSON.parse(readFileSync(join(data, "dataset.json"), "utf8"));
  for (const part of ["imagesTr", "labelsTr"]) writeFileSync(join(data, part, "a.nii"), readFileSync(join(data, part, "box_3.nii")));
  index.training.push({ image: "./imagesTr/a.nii", label: "./labelsTr/a.nii" });
  writeFileSync(join(data, "dataset.json"), JSON.stringify(index));
  const evaluated = dinomed3d("evaluate", "--folds", out, "--data", data, "--json");
  assert.equal(evaluated.status, 0, evaluated.stderr);
  const { cases, passedOver } = JSON.parse(evaluated.stdout);
  assert.deepEqual(cases.map((scores) => scores.case), [...splits[0].val, ...splits[1].val]);
  assert.match(evaluated.stderr, /1 cases are new in the data set since the run in .*out began and take no part: a\n/);
  assert.deepEqual(passedOver, ["a: new since the runs began"]);
});

test("nothing that is read is replaced, and a place that takes no file is found before anything is computed", () => {
  const folder = scratch();
  const [data, run, recipe] = ["data", "run", "run/recipe.toml"].map((name) => join(folder, name));
  for (const name of [data, run]) mkdirSync(name);
  makeData(data);
  makeRecipe(recipe);
  const scan = join(data, "imagesTr/box_0.nii");
  const before = { recipe: readFileSync(recipe), scan: readFileSync(scan) };
  const refuses = (pattern, ...words) => {
    const said = dinomed3d(...words);
    assert.equal(said.status, 2, words.join(" "));
    assert.match(said.stderr, pattern);
    assert.doesNotMatch(said.stderr, /scoring|reading/);
    assert.deepEqual({ recipe: readFileSync(recipe), scan: readFileSync(scan) }, before);
  };
  const train = (recipe, out, ...words) => ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", out, ...words];
  const next = join(folder, "next.toml");
  writeFileSync(next, 'base = "run/recipe.toml"\nseed = 3\n');
  for (const read of [recipe, next]) refuses(/run\/recipe\.toml would replace .*run\/recipe\.toml, which is read/, ...train(read, run));
  refuses(/writing .*next\.toml/, ...train(recipe, join(next, "deep")));
  const first = join(folder, "cv/fold-1/recipe.toml");
  mkdirSync(join(folder, "cv/fold-1"), { recursive: true });
  makeRecipe(first);
  refuses(/fold-1\/recipe\.toml would replace/, ...train(first, join(folder, "cv"), "--folds", "2"));

  const done = join(folder, "done");
  const trained = dinomed3d(...train(recipe, done, "--stage1-epochs", "0", "--stage2-epochs", "1"));
  assert.equal(trained.status, 0, trained.stderr);
  rmSync(join(done, "report.html"));
  linkSync(scan, join(done, "report.html"));
  refuses(/report\.html would replace .*box_0\.nii, which is read/, "report", done, "--data", data);
  const model = join(folder, "model");
  mkdirSync(model);
  linkSync(scan, join(model, "README.md"));
  refuses(/README\.md would replace .*box_0\.nii/, "export", done, "--data", data, "-o", model);
  refuses(/writing .*next\.toml/, "export", done, "--data", data, "-o", join(next, "model"));
  refuses(/writing .*next\.toml/, "convert", "--from", join(done, "best.safetensors"), "--preset", "vits16", "-o", join(next, "model"));
});

test("a data set's files in capitals are learnt from, and what is passed over is named", () => {
  const folder = scratch();
  const [data, recipe] = ["data", "recipe.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeTwoChannels(data);
  makeRecipe(recipe, 2);
  renameSync(join(data, "labelsTr/box_1.nii"), join(data, "labelsTr/box_1.NII"));
  writeFileSync(join(data, "labelsTr/notes.txt"), "");
  const trained = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", join(folder, "run"), "--stage1-epochs", "0", "--stage2-epochs", "1");
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(trained.stderr, /passed over: .*notes\.txt: its name is not that of/);
  assert.match(trained.stderr, /8 training and 2 validation cases/);
  const shown = dinomed3d("fingerprint", "--data", data);
  assert.match(shown.stdout, /label 1 Box: in 10 of 10 cases/);
  assert.match(shown.stderr, /passed over: .*notes\.txt/);
});

test("runs of two recipes are laid side by side", () => {
  const folder = scratch();
  const [data, recipe, other] = ["data", "recipe.toml", "other.toml"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  writeFileSync(
    other,
    'base = "recipe.toml"\nname = "without"\ntitle = "without detail"\n\n[architecture]\ndetail = { base_channels = 8, blocks = [0, 0, 0] }\n',
  );
  const epochs = ["--stage1-epochs", "1", "--stage2-epochs", "2"];
  const train = (recipe, name, ...words) => {
    const run = join(folder, name);
    const trained = dinomed3d("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, ...epochs, ...words);
    assert.equal(trained.status, 0, trained.stderr);
    const rows = JSON.parse(readFileSync(join(run, "state.json"), "utf8")).log;
    return { run, dice: rows.at(-1).dice[0].toFixed(4) };
  };
  const first = train(recipe, "first", "--seed", "1");
  const second = train(recipe, "second", "--seed", "2");
  const third = train(other, "third", "--seed", "1");
  const compared = dinomed3d("compare", first.run, second.run, third.run);
  assert.equal(compared.status, 0, compared.stderr);
  const rows = compared.stdout.trim().split("\n").slice(2);
  assert.equal(rows.length, 2, compared.stdout);
  const [low, high] = [first.dice, second.dice].sort();
  assert.ok(rows.some((row) => row.includes("| 1, 2 |") && row.includes(`(${low} to ${high})`)), compared.stdout);
  assert.ok(rows.some((row) => row.startsWith("| without detail |") && row.includes(`| ${third.dice} `)), compared.stdout);

  // Of one title, and yet another recipe.
  const { title } = /^title = "(?<title>.*)"$/m.exec(readFileSync(recipe, "utf8")).groups;
  const run = third.run;
  writeFileSync(join(run, "recipe.toml"), readFileSync(join(run, "recipe.toml"), "utf8").replace(/^title = .*$/m, `title = "${title}"`));
  const alike = dinomed3d("compare", first.run, second.run, run);
  assert.equal(alike.status, 0, alike.stderr);
  const names = alike.stdout.trim().split("\n").slice(2).map((row) => row.split(" | ")[0].slice(2));
  assert.deepEqual(names.sort(), [`${title} (${first.run}, ${second.run})`, `${title} (${run})`]);

  const twice = dinomed3d("compare", first.run, second.run, join(first.run, "../first"));
  assert.equal(twice.status, 2, twice.stdout);
  assert.match(twice.stderr, /first and .*first are one run, which would count twice/);

  const empty = dinomed3d("compare", first.run, folder);
  assert.equal(empty.status, 2);
  assert.match(empty.stderr, /holds no run/);
  mkdirSync(join(folder, "cv/fold-1"), { recursive: true });
  writeFileSync(join(folder, "cv/fold-1/recipe.toml"), "");
  assert.match(dinomed3d("compare", first.run, join(folder, "cv")).stderr, /cv holds a cross-validation, which `evaluate --folds` scores/);
});
