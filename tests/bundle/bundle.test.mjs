// What is brought to a machine with a graphics card, on one without: unpacked in an empty folder, run with an empty environment.
// `DINOMED3D_BUNDLE` names the archive; in it the program for the processor stands for those for cards.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { makeData, makeRecipe } from "../cli/boxes.mjs";
import { scratch } from "../places.mjs";

/** A third of it is enough; a machine that does other things too may need more. */
const LIMIT_SECONDS = 180;

const folder = scratch();
const script = join(folder, "dinomed3d/run.sh");
const [data, recipe] = ["data", "box.toml"].map((name) => join(folder, name));

/** Runs the script with nothing in the environment but PATH and what is named. One that does not end in its time is killed. */
function run(environment, out, seconds, ...words) {
  const named = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const timeout = 1000 * (Number(seconds) + 5);
  return spawnSync("env", ["-i", "PATH=/usr/bin:/bin", ...named, script, out, seconds, ...words], { cwd: folder, encoding: "utf8", timeout });
}

/** The rows of a table as objects. */
function table(path) {
  const [head, ...rows] = readFileSync(path, "utf8").trim().split("\n");
  const names = head.split(",");
  return rows.map((row) => Object.fromEntries(row.split(",").map((value, index) => [names[index], value])));
}

const parts = (out) => readdirSync(out).filter((name) => name.startsWith("run.tar."));

/** Epochs that a run in an output folder has gone through. */
function epochs(out) {
  const said = spawnSync("sh", ["-c", 'cat "$1"/run.tar.* | tar -xzO ./log.csv', "sh", out], { encoding: "utf8" });
  assert.equal(said.status, 0, said.stderr);
  return said.stdout.trim().split("\n").length - 1;
}

before(() => {
  const unpacked = spawnSync("tar", ["-xf", process.env.DINOMED3D_BUNDLE, "-C", folder], { encoding: "utf8" });
  assert.equal(unpacked.status, 0, unpacked.stderr);
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
});

test("on a machine without a card it checks, segments and trains on the processor, in time", (t) => {
  const out = join(folder, "out");
  const result = run({ RECIPE: recipe }, out, String(LIMIT_SECONDS), data);
  const log = readFileSync(join(out, "log.txt"), "utf8");
  assert.equal(result.status, 0, log);

  const times = table(join(out, "times.csv"));
  t.diagnostic(JSON.stringify(times));
  const results = (what) => Object.fromEntries(times.filter((row) => row.what === what).map((row) => [row.device, row.result]));
  // The program is there and knows no such device; or there is no program.
  assert.deepEqual(results("check"), {
    "libtorch-cuda": "not in this bundle",
    cuda: "failed with 2",
    vulkan: "failed with 2",
    webgpu: "not in this bundle",
    "webgpu-half": "not in this bundle",
    cpu: "done",
  });
  assert.match(log, /device "cuda" is not one of this build/);
  for (const what of ["segment sample.nii.gz", "segment sample.nii.gz again"]) assert.deepEqual(results(what), { cpu: "done" }, log);
  // How far it comes in its share of the time is the machine's affair.
  assert.match(results("train").cpu, /^(done|stopped at its limit)$/, log);

  const errors = table(join(out, "errors.csv"));
  assert.deepEqual(
    errors.map((row) => [row.device, row.check]),
    ["head", "hippocampus"].flatMap((model) => ["first block", "logits", "window"].map((part) => ["cpu check", `${model} ${part}`])),
  );
  for (const { error, allowed } of errors) assert.ok(Number(error) < Number(allowed));
  assert.match(readFileSync(join(out, "gpu.csv"), "utf8"), /^time,gpu %/);
  assert.ok(epochs(out) > 0);
  assert.match(result.stdout, /train,cpu/);
});

test("training goes on from what came back, and is killed at the limit", () => {
  // Of a run that has more epochs than the time allows, first a quarter of a minute, then another.
  const out = ["first", "second"].map((name) => join(folder, name));
  const long = join(folder, "long.toml");
  spawnSync("sh", ["-c", 'sed "s/^epochs = .*/epochs = 100000/" "$1" >"$2"', "sh", recipe, long]);
  const environment = { RECIPE: long, DEVICES: "cpu" };
  const outcome = (path) => table(join(path, "times.csv")).find((row) => row.what === "train").result;

  assert.equal(run(environment, out[0], "15", data).status, 0);
  assert.equal(outcome(out[0]), "stopped at its limit");
  const result = run(environment, out[1], "15", data, out[0]);
  assert.equal(result.status, 0, result.stdout);
  assert.equal(outcome(out[1]), "stopped at its limit");
  assert.ok(epochs(out[1]) > epochs(out[0]), `${epochs(out[0])}, then ${epochs(out[1])} epochs`);
  assert.ok(parts(out[1]).length <= 4, "few files come back");
});

test("without a device that computes as it should nothing is trained", () => {
  const out = join(folder, "none");
  const result = run({ DEVICES: "cuda" }, out, "30", data);
  assert.equal(result.status, 1);
  assert.deepEqual(parts(out), []);
  assert.ok(existsSync(join(out, "times.csv")));
});
