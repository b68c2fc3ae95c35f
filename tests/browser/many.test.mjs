// Many scans: a list that is segmented in turn and saved as one zip. What a worker would compute is canned, but for the last tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeSeries } from "../dicom.mjs";
import { agreement, makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { beforeWorker, open } from "./page.mjs";
import { endRun, headScan, stubWorker, warning } from "./stub.mjs";
import { makeTinyModel, serveModels } from "./tiny.mjs";

const ball = (edge) => makeNifti([edge, edge, edge], (x, y, z) => Math.hypot(x - edge / 2, y - edge / 2, z - edge / 2));
const deadly = { name: "d-deadly.nii", bytes: ball(14) };
const notes = { name: "b-notes.nii", bytes: Buffer.from("no scan") };
const scan = (name, edge = 16) => ({ name, bytes: ball(edge) });

/** The inside of a ball as label 1, its middle as 2. */
function labelledBall(edge) {
  const file = ball(edge);
  file.writeInt16LE(2, 70);
  file.writeInt16LE(8, 72);
  const distances = new Float32Array(file.buffer.slice(file.byteOffset + 352, file.byteOffset + file.length));
  const labels = [...distances].map((distance) => (distance < edge / 4 ? 2 : distance < edge / 2 ? 1 : 0));
  return gzipSync(Buffer.concat([file.subarray(0, 352), Buffer.from(labels)]));
}

/** Files of a zip that holds them as they are, by name. */
function unzip(zip) {
  const files = new Map();
  const end = zip.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = zip.readUInt32LE(end + 16);
  for (let i = 0; i < zip.readUInt16LE(end + 10); i++) {
    const [method, size] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [nameBytes, extra, comment] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    const local = zip.readUInt32LE(at + 42);
    const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    assert.equal(method, 0, "stored");
    files.set(zip.toString("utf8", at + 46, at + 46 + nameBytes), zip.subarray(from, from + size));
    at += 46 + nameBytes + extra + comment;
  }
  return files;
}

/** A page with a stub for a worker and these scans in its list. */
async function withList(t, files, stub) {
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ deadlyBytes: deadly.bytes.length, ...stub }) });
  await visitor.waitForModel();
  await visitor.chooseAll(files);
  await visitor.at("scans").waitFor();
  await visitor.waitForScan(files[0].name);
  return visitor;
}

/** The button of a scan in the list. */
const row = (visitor, name) => visitor.at("scans").locator("li", { hasText: name }).locator("button.offer");

/** Waits for a scan of the list to be segmented by a stub that is held. */
const atWork = (visitor, name) => visitor.at("scans").locator("li", { hasText: name }).locator("text=40 %").waitFor();

const outside = (visitor, before) =>
  visitor.requests
    .slice(before)
    .map((request) => request.url())
    .filter((address) => !/^(blob|data):/.test(address));

test("one scan by itself is in no list", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker() });
  await visitor.waitForModel();
  await visitor.choose(scan("one.nii"));
  await visitor.waitForScan("one.nii");
  await visitor.segment();
  for (const id of ["scans", "segment-all", "download-all"]) assert.equal(await visitor.at(id).count(), 0, id);
  assert.equal(await visitor.at("segment").innerText(), "Segment");
});

test("several files are segmented in turn; one that is no scan and one that kills the worker say so, and the rest is saved as one zip", async (t) => {
  const visitor = await withList(t, [scan("a.nii"), notes, scan("c.nii", 18), deadly, scan("e.nii", 20)]);
  assert.deepEqual(await visitor.list(), ["*a", "b-notes", "c", "d-deadly", "e"].map((name) => `${name}.nii: Not segmented`));
  assert.ok(await visitor.at("download-all").isDisabled(), "there is nothing to save");
  const before = visitor.requests.length;
  await visitor.at("segment-all").click();
  await visitor.page.waitForFunction(() => document.querySelectorAll(".scans .is-done").length === 3);
  // What is doubtful says so where nothing else of it is seen.
  const done = "With warnings: Anterior 1.23, Posterior 2.47 mL";
  assert.deepEqual(await visitor.list(), [
    `a.nii: ${done}`,
    "b-notes.nii: This file can't be opened: it is no scan.",
    `c.nii: ${done}`,
    "d-deadly.nii: The worker crashed: out of memory",
    `*e.nii: ${done}`,
  ]);
  assert.equal(await visitor.errorText(), null, "the list says what went wrong");
  assert.match(await visitor.at("status").innerText(), /Done: 3 of 5 scans segmented/);
  assert.deepEqual(outside(visitor, before).filter((address) => !/worker_loader\.js/.test(address)), [], "nothing is fetched but a worker");

  const { name, bytes } = await visitor.saved("download-all");
  assert.equal(name, "segmentations.zip");
  const zip = unzip(bytes);
  const kinds = ["dseg.nii.gz", "volumes.csv"];
  assert.deepEqual([...zip.keys()], [...["a", "c", "e"].flatMap((stem) => kinds.map((kind) => `${stem}_${kind}`)), "volumes.csv"]);
  assert.ok(readNifti(zip.get("c_dseg.nii.gz")).voxels.some((label) => label > 0));
  assert.match(zip.get("c_volumes.csv").toString(), /^structure,label.*\r\nAnterior,1/);
  const table = zip.get("volumes.csv").toString().trimEnd().split("\r\n");
  assert.deepEqual(table, ["scan,anterior_ml,posterior_ml,model,warnings", ...["a", "c", "e"].map((stem) => `${stem},1.234,2.468,hippocampus,${warning}`)]);
  assert.equal(await visitor.at("scans").locator(".has-warnings").count(), 3);
  const one = await visitor.saved("download-volumes");
  assert.equal(one.name, "volumes_e.csv");
  assert.deepEqual(one.bytes.toString().trimEnd().split("\r\n"), [table[0], table[3]], "its row in the table of all");
});

test("a chosen row shows its scan with its result, and a row can be removed", async (t) => {
  const others = ["read me.txt", "a.json", ".DS_Store", "x.bval", "x.bvec"].map((name) => ({ name, bytes: Buffer.from("{}") }));
  const visitor = await withList(t, [scan("a.nii"), notes, scan("c.nii"), ...others], { labelMap: labelledBall(16) });
  await visitor.waitForStatus("Ready to segment. Left out, as they are no scans: a.json, read me.txt, x.bval and 1 more.");
  assert.ok(await visitor.canvasShowsSomething());
  const without = await visitor.canvasShares();
  const isLabelled = ({ colored }) => colored > 2 * without.colored + 0.02;
  await visitor.segment();
  await visitor.waitForShares(isLabelled, "the result lies over the scan");
  assert.deepEqual((await visitor.list()).map((said) => said.split(":")[0]), ["*a.nii", "b-notes.nii", "c.nii"]);
  await row(visitor, "c.nii").click();
  await visitor.waitForScan("c.nii");
  assert.equal(await visitor.at("statistics").isVisible(), false, "it is not segmented");
  await visitor.waitForShares((shares) => !isLabelled(shares), "no label map lies over it");
  await row(visitor, "a.nii").click();
  await visitor.waitForScan("a.nii");
  assert.ok(await visitor.at("statistics").isVisible());
  assert.equal((await visitor.save()).name, "a_dseg.nii.gz");
  await visitor.waitForShares(isLabelled, "its label map lies over it");
  await row(visitor, "b-notes").click();
  await visitor.waitForStatus(/b-notes\.nii was not opened/);
  assert.match(await visitor.at("scan-facts").innerText(), /a\.nii/, "what was on screen stays");
  await row(visitor, "a.nii").click();
  await visitor.waitForStatus("Ready to segment.");

  const remove = (name) => visitor.page.getByRole("button", { name: `Remove ${name}` }).click();
  await remove("b-notes.nii");
  await remove("a.nii");
  await visitor.waitForScan("c.nii");
  assert.deepEqual(await visitor.list(), ["*c.nii: Not segmented"]);
  await visitor.choose(scan("late.nii"));
  await visitor.waitForScan("late.nii");
  assert.deepEqual(await visitor.list(), ["c.nii: Not segmented", "*late.nii: Not segmented"], "the list grows");
});

test("cancelling stops the run under way and all behind it", async (t) => {
  const visitor = await withList(t, [scan("a.nii"), scan("b.nii"), scan("c.nii")], { isHeld: true });
  await visitor.at("segment-all").click();
  await atWork(visitor, "a.nii");
  await endRun(visitor, "end");
  await atWork(visitor, "b.nii");
  assert.match(await visitor.at("status").innerText(), /Segmenting b\.nii, 2 of 3/);
  assert.match(await visitor.at("progress").getAttribute("aria-valuetext"), /^Scan 2 of 3: 40 %/);
  assert.match((await visitor.list())[1], /^\*b\.nii: Segmenting 2 of 3, 40 %/);
  assert.ok(await row(visitor, "a.nii").isDisabled() && (await visitor.at("segment-all").isDisabled()));
  await visitor.at("cancel-all").click();
  await visitor.waitForStatus("Stopped");
  const states = (await visitor.list()).map((said) => said.split(": ").at(-1));
  assert.deepEqual(states, ["Anterior 1.23, Posterior 2.47 mL", "Not segmented", "Not segmented"]);
  assert.equal(await visitor.at("progress").count(), 0);
  await visitor.at("segment-all").click();
  await visitor.waitForStatus(/Segmenting b\.nii, 1 of 2/);
  await visitor.at("cancel").click();
  await visitor.waitForStatus("Stopped");
});

test("no accessibility rule is broken with a list, light or dark, and nothing is cut off", async (t) => {
  const names = ["a.nii", "sub-01_ses-2_acq-mprage_run-01_desc-preproc_T1w.nii.gz"];
  const files = [scan(names[0]), notes, deadly, { name: names[1], bytes: headScan }];
  const visitor = await withList(t, files, { isHeld: true });
  await visitor.assertAccessible();
  await visitor.at("segment-all").click();
  await atWork(visitor, "a.nii");
  await endRun(visitor, "end");
  await atWork(visitor, names[1]);
  await visitor.assertAccessible();
  await endRun(visitor, "end");
  await visitor.waitForStatus(/Done/);
  await visitor.assertAccessible();
  for (const width of [360, 1280, 1920]) {
    await visitor.page.setViewportSize({ width, height: 720 });
    const scroll = await visitor.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(scroll <= width, `the page is ${scroll} wide in a window of ${width}`);
    const box = await visitor.at("scans").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width, JSON.stringify(box));
  }
  await row(visitor, "a.nii").focus();
  await visitor.page.keyboard.press("Enter");
  await visitor.waitForScan("a.nii");
  await visitor.page.keyboard.press("Tab");
  const focused = () => visitor.page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.equal(await focused(), "Remove a.nii", "the row keeps the focus");
  const marked = () =>
    visitor.at("scans").evaluate((list) => {
      const isMarked = (row) => Number.parseFloat(getComputedStyle(row).borderLeftWidth) > 2;
      return [...list.querySelectorAll("li")].filter(isMarked).map((row) => row.querySelector("strong").textContent);
    });
  // Even a transparent border is drawn with the system's own colours.
  for (const forcedColors of ["none", "active"]) {
    await visitor.page.emulateMedia({ forcedColors });
    assert.deepEqual(await marked(), ["a.nii"], `marked with forced colours ${forcedColors}`);
  }
});

const blob = (x, y, z) => Math.round(1000 * Math.exp(-((x - 9) ** 2 + (y - 10) ** 2 + (z - 8) ** 2) / 60));
const series = ["first", "second"].flatMap((description, i) =>
  makeSeries({ uid: `1.2.3.${i}`, number: i + 1, description, shape: [20, 20 + i, 16], spacing: [1, 1, 1], value: blob }),
);
const names = async (visitor) => (await visitor.list()).map((said) => said.split(":")[0]);

/** In the first worker: it dies at the second segmentation that it is asked for. */
const dieAtSecond = () => {
  let count = 0;
  addEventListener("message", ({ data }) => {
    if (JSON.parse(data.message).kind !== "segment" || ++count < 2) return;
    throw new Error("out of memory");
  });
};

let tiny;
before(() => (tiny = makeTinyModel()));

/** For `prepare` of a page: its one model is the tiny one. */
const serveTiny = (page) => serveModels({ tiny: { folder: tiny.model } })(page);

test("files and series are computed as the command line does, and what a worker died of can be tried again", async (t) => {
  const { model, scan: box } = tiny;
  const visitor = await open(t, {
    query: "?backend=cpu",
    view: "planes",
    prepare: async (page) => {
      await serveTiny(page);
      await beforeWorker(page, dieAtSecond, { once: true });
    },
  });
  await visitor.waitForModel();
  await visitor.chooseAll([...series, notes, { name: "box.nii", bytes: readFileSync(box) }]);
  await visitor.waitForScan("box.nii");
  assert.deepEqual(await names(visitor), ["b-notes.nii", "*box.nii", "1-001.dcm"]);
  await visitor.at("segment-all").click();
  await visitor.page.locator(".scans .is-done", { hasText: "second" }).waitFor({ timeout: 120_000 });
  assert.deepEqual(await names(visitor), ["b-notes.nii", "box.nii", "1-001/first", "*1-001/second"], "all series have their turn");
  const found = await visitor.list();
  assert.match(found[0], /can't be opened/);
  assert.match(found[2], /The worker failed: out of memory/);
  assert.equal(await visitor.errorText(), null);

  await visitor.at("segment-all").click();
  await visitor.page.locator(".scans .is-done", { hasText: "first" }).waitFor({ timeout: 120_000 });
  assert.match(await visitor.at("status").innerText(), /Done: 1 of 2/, "the notes are still no scan");
  const zip = unzip((await visitor.saved("download-all")).bytes);
  const stems = ["box", "1-001_first", "1-001_second"];
  for (const stem of stems) assert.ok(zip.has(`${stem}_dseg.nii.gz`) && zip.has(`${stem}_volumes.csv`), `${stem} of ${[...zip.keys()]}`);
  assert.equal(zip.has("box_seg.dcm"), false, "it did not come as DICOM");
  for (const stem of stems.slice(1)) assert.equal(zip.get(`${stem}_seg.dcm`).toString("latin1", 128, 132), "DICM");
  assert.deepEqual(readNifti(zip.get("1-001_second_dseg.nii.gz")).shape, [20, 21, 16]);
  assert.equal(zip.get("volumes.csv").toString().trimEnd().split("\r\n").length, 1 + stems.length);

  const native = join(scratch(), "native.nii.gz");
  const said = dinomed3d("segment", box, "-o", native, "--model", model);
  assert.equal(said.status, 0, said.stderr);
  const [page, command] = [zip.get("box_dseg.nii.gz"), native].map(readNifti);
  assert.deepEqual(page.geometry, command.geometry);
  assert.ok(agreement(page.voxels, command.voxels) >= 0.999);
});

test("of a file with several scans one or all are taken", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu", view: "planes", prepare: serveTiny });
  await visitor.chooseAll(series);
  await visitor.at("series").waitFor();
  await visitor.page.getByRole("button", { name: "Add all 2" }).click();
  await visitor.page.locator('[data-testid="scan-facts"]', { hasText: "20 × 20 × 16" }).waitFor();
  assert.equal(await visitor.at("series").count(), 0);
  assert.deepEqual(await names(visitor), ["*1-001/first", "1-001/second"]);
  await row(visitor, "second").click();
  await visitor.page.locator('[data-testid="scan-facts"]', { hasText: "20 × 21 × 16" }).waitFor();
  assert.ok(await visitor.canvasShowsSomething());
});

test("series that are called the same are told apart by their numbers", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu", view: "planes", prepare: serveTiny });
  const again = makeSeries({ uid: "1.2.3.9", number: 7, description: "first", shape: [20, 20, 16], spacing: [1, 1, 1], value: blob });
  await visitor.chooseAll([...series, ...again.map(({ name, bytes }) => ({ name: `again-${name}`, bytes }))]);
  await visitor.page.getByRole("button", { name: "Add all 3" }).click();
  await visitor.at("scans").waitFor();
  assert.deepEqual(await names(visitor), ["*1-001/first (1)", "1-001/second", "1-001/first (7)"]);
  assert.match(await visitor.at("scan-facts").innerText(), /first \(1\)/);
});
