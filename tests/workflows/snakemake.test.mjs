// The Snakemake workflow for real, on two cores.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeNifti } from "../nifti.mjs";
import { model, root, scratch } from "../places.mjs";
import { inOneCall, linesOf, makeScans, processesOf, program, results, signalProgram, tool, until } from "./jobs.mjs";

const snakemake = tool("SNAKEMAKE");
const statuses = (path) => linesOf(path).map((line) => line.status);

test("two jobs, Snakemake killed, then a job: what comes of it equals one call, and nothing is done twice", { skip: snakemake.skip }, async () => {
  const [folder, scans] = [scratch(), makeScans()];
  const out = join(folder, "all results");
  const config = join(folder, "config.json");
  const usual = readFileSync(join(root, "workflows/snakemake/config.yaml"), "utf8");
  const settings = { inputs: [scans], out, options: ["--model", model], shards: 2, threads: 1, "memory-mb": 500, minutes: 5, program };
  for (const key of Object.keys(settings)) assert.match(usual, new RegExp(`^${key}: `, "m"));
  writeFileSync(config, JSON.stringify(settings));
  const words = ["--snakefile", join(root, "workflows/snakemake/Snakefile"), "--configfile", config, "--cores", "2", "--rerun-incomplete"];
  const options = { cwd: folder, env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") }, encoding: "utf8" };
  const begin = () => {
    const child = spawn(snakemake.path, words, { ...options, detached: true, stdio: ["ignore", "ignore", "pipe"] });
    const said = [];
    child.stderr.on("data", (text) => said.push(text));
    return { child, ended: once(child, "close"), said: () => said.join("") };
  };
  const lines = join(out, "logs/shard-1-of-2.jsonl");

  const first = begin();
  await until("a scan is done", () => linesOf(lines).length > 0 || first.child.exitCode !== null);
  for (const pid of [first.child.pid, ...processesOf(program, out)]) process.kill(pid, "SIGKILL");
  await first.ended;
  await until("its jobs are gone", () => processesOf(program, out).length === 0);
  const before = linesOf(lines).map((line) => line.outputs.find((path) => path.endsWith("_dseg.json")));
  assert.ok([1, 2].includes(before.length), first.said());
  const changed = () => before.map((path) => statSync(path).mtimeMs);
  const then = changed();
  assert.ok(!existsSync(join(out, "volumes.tsv")));

  const unlocked = spawnSync(snakemake.path, [...words, "--unlock"], options);
  assert.equal(unlocked.status, 0, unlocked.stderr);
  const second = begin();
  await until("what is finished is passed over", () => statuses(lines).includes("finished") || second.child.exitCode !== null);
  signalProgram("SIGKILL", out, "1/2");
  const [code] = await second.ended;
  assert.equal(code, 0, second.said());
  assert.match(second.said(), /Trying to restart job/);
  assert.deepEqual(results(out), inOneCall(scans));
  assert.deepEqual(statuses(join(out, "logs/all.jsonl")), Array(6).fill("finished"));
  assert.deepEqual(changed(), then);
  assert.ok(existsSync(join(out, "logs/none-failed")));

  // A scan that can't be segmented is named at the end, and the table of the others is there.
  writeFileSync(join(scans, "flat.nii"), makeNifti([12, 12, 12], () => 3));
  const bad = spawnSync(snakemake.path, [...words, "--forcerun", "volumes"], options);
  assert.equal(bad.status, 1, bad.stderr);
  assert.match(bad.stderr, /these scans could not be segmented/);
  assert.deepEqual(linesOf(join(out, "logs/failed.jsonl")).map((line) => line.case), ["flat"]);
  assert.equal(readFileSync(join(out, "volumes.tsv"), "utf8").trim().split("\n").length, 1 + 6);
});
