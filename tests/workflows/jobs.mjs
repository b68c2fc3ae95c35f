// Six scans and what one call of the program makes of them, to compare with what comes of many jobs; processes, watched and ended.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";

/** The program. */
export const program = process.env.DINOMED3D_BIN;

/** The path of a tool that `cargo xtask test` brings, and a value for a test's `skip`: false, or why it is not here. */
export function tool(name) {
  const path = process.env[`DINOMED3D_${name}`];
  return { path, skip: path ? false : (process.env[`DINOMED3D_NO_${name}`] ?? `${name} is only here in \`cargo xtask test\``) };
}

/** A folder of six crops that are not alike: the sample, each time moved by two more voxels. */
export function makeScans() {
  const folder = join(scratch(), "in");
  mkdirSync(folder);
  const { bytes } = readNifti(join(root, "public/samples/sample.nii.gz"));
  for (let i = 0; i < 6; i += 1) {
    const voxels = bytes.subarray(352);
    const by = 4 * i;
    writeFileSync(join(folder, `crop${i}.nii`), Buffer.concat([bytes.subarray(0, 352), voxels.subarray(by), voxels.subarray(0, by)]));
  }
  return folder;
}

/** A folder's results by their names, but for where each came from, which says when. */
export function results(folder) {
  const names = readdirSync(folder).filter((name) => /\.(nii\.gz|tsv)$/.test(name));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));
}

/** The results of all scans of a folder in one call. */
export function inOneCall(scans) {
  const out = scratch();
  const said = dinomed3d("segment", scans, "--out", out, "--model", model);
  assert.equal(said.status, 0, said.stderr);
  const found = results(out);
  assert.equal(Object.keys(found).length, 3 * 6 + 1);
  assert.equal(new Set(Object.keys(found).flatMap((name) => (name.endsWith(".nii.gz") ? [found[name]] : []))).size, 6);
  return found;
}

/** The whole lines of JSON in a file that may not be there yet. */
export function linesOf(path) {
  try {
    const text = readFileSync(path, "utf8");
    return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

/** Waits till `claim` gives something, and returns it. */
export async function until(what, claim, seconds = 120) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(20)) {
    const found = await claim();
    if (found) return found;
  }
  assert.fail(`${seconds} s are over: ${what}`);
}

/** Processes of this computer whose command lines hold all these words. */
export function processesOf(...words) {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).map(Number).filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words.every((word) => line.includes(word));
    } catch {
      return false;
    }
  });
}

/** Sends a signal to the one process of the program with these words. */
export function signalProgram(signal, ...words) {
  const found = processesOf(program, ...words);
  assert.equal(found.length, 1, `${words}: ${found}`);
  process.kill(found[0], signal);
}
