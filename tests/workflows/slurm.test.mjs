// The Slurm array for real, on a cluster of one node that is this computer.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { model, root, scratch } from "../places.mjs";
import { inOneCall, linesOf, makeScans, processesOf, program, results, signalProgram, tool, until } from "./jobs.mjs";
import { startCluster } from "./slurm.mjs";

const slurm = tool("SLURM");
const script = join(root, "workflows/slurm/segment.sbatch");

test("an array of which one task is preempted and one killed, and the job after it: what comes of it equals one call", { skip: slurm.skip }, async (t) => {
  const folder = scratch();
  const { call, stop, reason } = await startCluster(folder);
  t.after(stop);
  if (reason) return t.skip(reason);
  const [scans, out] = [makeScans(), join(folder, "out")];
  const submit = (...words) => {
    const said = call("sbatch", "--parsable", `--export=ALL,DINOMED3D=${program}`, "--cpus-per-task=1", ...words, script, scans, "--out", out, "--model", model);
    assert.equal(said.status, 0, said.stderr);
    return said.stdout.trim();
  };
  const job = (id) => Object.fromEntries([...call("scontrol", "--oneliner", "show", "job", id).stdout.matchAll(/(\w+)=(\S+)/g)].map(([, key, value]) => [key, value]));
  const array = submit("--array=1-2");
  const rest = submit(`--dependency=afterany:${array}`, "--output=all-%j.jsonl", "--error=all-%j.log");
  const lines = (task) => linesOf(join(folder, `dinomed3d-${array}_${task}.jsonl`));

  // Three crops are done sooner than Slurm takes an order: whoever has done one waits for what is to befall it.
  await Promise.all([
    until("the first task has done a scan", () => lines(1).length > 0).then(() => signalProgram("SIGSTOP", out, "1/2")),
    until("the second task is there", () => processesOf(program, out, "2/2").length > 0).then(() => signalProgram("SIGSTOP", out, "2/2")),
  ]);
  // While it stands still: once it is requeued, its second life may write sooner than anyone looks.
  const before = lines(1).map((line) => line.outputs.find((path) => path.endsWith("_dseg.json")));
  const changed = () => before.map((path) => statSync(path).mtimeMs);
  const then = changed();
  assert.equal(call("scontrol", "requeue", `${array}_1`).status, 0);
  signalProgram("SIGCONT", out, "2/2");
  await until("the second task has done a scan", () => lines(2).length > 0);
  signalProgram("SIGKILL", out, "2/2");
  await until("all jobs are over", () => /^(COMPLETED|FAILED|CANCELLED)/.test(job(rest).JobState));

  assert.deepEqual([job(`${array}_1`).JobState, job(`${array}_1`).Restarts], ["COMPLETED", "1"]);
  assert.deepEqual([job(`${array}_2`).JobState, job(`${array}_2`).ExitCode], ["FAILED", "0:9"]);
  assert.equal(job(rest).JobState, "COMPLETED");
  const said = lines(1).map((line) => line.status);
  const first = said.indexOf("finished");
  assert.ok(first >= before.length, `${said} after ${before.length}`);
  assert.deepEqual(said, [...Array(first).fill("done"), ...Array(first).fill("finished"), ...Array(3 - first).fill("done")]);
  const all = linesOf(join(folder, `all-${rest}.jsonl`));
  assert.equal(all.length, 6);
  assert.equal(all.filter((line) => line.status === "done").length, 3 - lines(2).length);
  assert.deepEqual(results(out), inOneCall(scans));
  assert.deepEqual(changed(), then);
});

test("a task's share is its place in the array, and an array with gaps is refused", () => {
  const run = (env) => spawnSync("bash", [script, "--out", "DIR"], { encoding: "utf8", env: { PATH: process.env.PATH, DINOMED3D: "echo", ...env } });
  const task = (id, min, max, count) => run({ SLURM_ARRAY_TASK_ID: id, SLURM_ARRAY_TASK_MIN: min, SLURM_ARRAY_TASK_MAX: max, SLURM_ARRAY_TASK_COUNT: count });
  assert.equal(run({}).stdout, "segment --out DIR\n");
  assert.equal(task("0", "0", "9", "10").stdout, "segment --out DIR --shard 1/10\n");
  assert.equal(task("12", "3", "12", "10").stdout, "segment --out DIR --shard 10/10\n");
  const gaps = task("7", "3", "7", "2");
  assert.equal(gaps.status, 2);
  assert.match(gaps.stderr, /has 2 tasks from 3 to 7: expected is one without gaps/);
});
