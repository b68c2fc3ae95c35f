// A scan far larger than usual within a limit that its process is given: it is enough, or the scan is refused at once.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { before, test } from "node:test";
import { createGzip, gunzipSync } from "node:zlib";
import { SHAPE, ct } from "../ct.mjs";
import { dinomed3d, root, scratch } from "../places.mjs";

const skip = process.platform === "linux" ? false : "only Linux limits what a process may write to";
const folder = scratch();
const scan = join(folder, "ct.nii.gz");

/** Calls the program with so much memory: all that it may write to, used or not. Addresses that threads only reserve don't count. */
function within(bytes, ...words) {
  const limited = ["-c", 'ulimit -d "$0" && exec "$@"', String(Math.floor(bytes / 1024)), process.env.DINOMED3D_BIN, ...words];
  return spawnSync("sh", limited, { cwd: root, encoding: "utf8" });
}

before(() => skip || pipeline(Readable.from(ct()), createGzip({ level: 1 }), createWriteStream(scan)));

/** Gigabytes that a preflight says. */
const said = ({ stdout }) => Number(stdout.split("\n")[1].trim().split(/ +/)[3 + 1]);

// The most that was held, in gigabytes: of two threads, glibc 2.36, by `/usr/bin/time -v`.
for (const [name, model, held] of [["sample", "hippocampus", 0.062], ["head", "hippocampus", 0.264], ["head", "head", 0.256]]) {
  test(`what is said of the small scan ${name} for ${model} is enough, and at most 1.5 times what was held`, { skip }, () => {
    const words = ["segment", join(root, `public/samples/${name}.nii.gz`), "--model", model, "--threads", "2"];
    const preflight = dinomed3d(...words, "--preflight");
    assert.equal(preflight.status, 0, preflight.stderr);
    const gigabytes = said(preflight);
    assert.ok(gigabytes >= held && gigabytes <= 1.5 * held, `${gigabytes} GB, ${held} were held`);
    const found = within((gigabytes + 0.005) * 1e9, ...words, "-o", join(scratch(), "labels.nii.gz"));
    assert.equal(found.status, 0, found.stderr);
  });
}

test("what the header says is needed is enough for a CT of 512 × 512 × 600, and less than 2.5 GB", { skip }, (t) => {
  const preflight = dinomed3d("segment", scan, "--preflight");
  assert.equal(preflight.status, 0, preflight.stderr);
  const gigabytes = said(preflight);
  t.diagnostic(`${gigabytes} GB`);
  assert.ok(gigabytes > 1 && gigabytes < 2.5, preflight.stdout);
  const output = join(folder, "labels.nii.gz");
  const found = within((gigabytes + 0.005) * 1e9, "segment", scan, "-o", output);
  assert.equal(found.status, 0, found.stderr);
  const [labels, header] = [gunzipSync(readFileSync(output)), ct().next().value];
  assert.equal(labels.length, 352 + SHAPE.reduce((product, edge) => product * edge));
  for (const [from, to] of [[40, 56], [76, 92], [280, 328]]) assert.deepEqual(labels.subarray(from, to), header.subarray(from, to));
  assert.ok(labels.subarray(352).some((label) => label > 0));
});

test("a scan that needs more memory than there is is refused before anything is read", { skip }, () => {
  const output = join(folder, "refused.nii");
  const refused = within(1e9, "segment", scan, "-o", output);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /ct\.nii\.gz needs about [12]\.\d GB of memory, and 1\.0 GB are there \(ulimit -d\): make a smaller scan of it.*\n$/);
  assert.ok(!existsSync(output));
  const among = within(1e9, "segment", scan, "--out", join(folder, "many"));
  assert.equal(among.status, 1, among.stderr);
  assert.match(among.stdout, /needs about [12]\.\d GB/);
});

test("the limit is one: what is read without asking ends at it", { skip }, () => {
  const said = within(3e8, "info", scan);
  assert.equal(said.status, 2, said.stderr);
  assert.match(said.stderr, /no memory for the 314572800 bytes/);
  assert.equal(within(6e8, "info", scan).status, 0);
});
