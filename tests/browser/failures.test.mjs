// Whatever is wrong with a file or the site, the page lives, says what happened, keeps the scan, and the next try works.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeNifti } from "../nifti.mjs";
import { data, model, root, without } from "../places.mjs";
import { onlyModel, open, sharedPage } from "./page.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

const withSample = sharedPage({ query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") }, async (visitor) => {
  await visitor.waitForModel();
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
});

const half = (bytes) => bytes.subarray(0, bytes.length / 2);
const hill = (x, y, z) => Math.hypot(x - 8, y - 8, z - 8);

for (const [what, file, said] of [
  ["text", { name: "notes.nii", bytes: Buffer.from("These are notes, not a scan. ".repeat(40)) }, /can't be opened/],
  ["an empty file", { name: "empty.nii.gz", bytes: Buffer.alloc(0) }, /can't be opened/],
  ["half a gzip file", { name: "half.nii.gz", bytes: half(gzipSync(makeNifti([16, 16, 16], hill))) }, /can't be opened/],
  ["a header that promises more than the file holds", { name: "short.nii", bytes: makeNifti([64, 64, 64], hill).subarray(0, 5000) }, /can't be opened/],
]) {
  test(`${what} is refused, and the scan before it stays`, async () => {
    const visitor = await withSample();
    await visitor.choose(file);
    assert.match(await visitor.waitForError(), said);
    assert.match(await visitor.at("scan-facts").innerText(), /sample\.nii\.gz/);
    assert.ok(await visitor.canvasShowsSomething());
    await visitor.at("dismiss").click();
  });
}

test("public malformed files are refused one after the other", { skip: without("nifti/malformed") }, async () => {
  const visitor = await withSample();
  const files = readFileSync(join(data, "nifti/malformed/INDEX.csv"), "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[0])
    .filter(Boolean);
  assert.ok(files.length > 5);
  for (const file of files) {
    await visitor.choose(join(data, "nifti/malformed", file));
    assert.match(await visitor.waitForError(), /can't be opened/, file);
    await visitor.at("dismiss").click();
  }
});

test("after all of them the scan before is segmented, and a success takes the message away", async () => {
  const visitor = await withSample();
  await visitor.choose({ name: "notes.nii", bytes: Buffer.from("no scan") });
  await visitor.waitForError();
  await visitor.segment();
  assert.equal(await visitor.errorText(), null);
});

test("a constant scan opens, is not segmented, and says why; the next one is", async () => {
  const visitor = await withSample();
  await visitor.choose({ name: "flat.nii", bytes: makeNifti([16, 16, 16], () => 7) });
  await visitor.waitForScan("flat.nii");
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(), /constant/);
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await visitor.segment();
});

test("weights that are damaged on the way are noticed, and starting again helps", async (t) => {
  let isDamaged = true;
  const visitor = await open(t, {
    query: "?backend=cpu",
    view: "planes",
    prepare: async (page) => {
      await onlyModel(page, "hippocampus");
      await page.context().route("**/weights.safetensors", async (route) => {
        if (!isDamaged) return route.continue();
        const body = readFileSync(join(model, "weights.safetensors"));
        body[body.length - 100] ^= 1;
        await route.fulfill({ body });
      });
    },
  });
  assert.match(await visitor.waitForError(120_000), /SHA-256.*fetched twice/s);
  isDamaged = false;
  await visitor.at("restart").click();
  await visitor.waitForModel();
});

test("a site without its models is answered, and can be asked again", async (t) => {
  let isMissing = true;
  const visitor = await open(t, {
    query: "?backend=cpu",
    view: "planes",
    prepare: (page) =>
      page.context().route("**/models/index.json", (route) => route.fulfill(isMissing ? { status: 404 } : { json: ["hippocampus"] })),
  });
  assert.match(await visitor.waitForError(), /status 404/);
  isMissing = false;
  await visitor.at("restart").click();
  await visitor.waitForModel();
});
