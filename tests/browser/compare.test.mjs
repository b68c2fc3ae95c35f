// A result beside a reference: the numbers are the command line's, whatever way the reference is stored. The worker is a stub, as the
// page itself compares.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { sharedPage } from "./page.mjs";
import { stubWorker } from "./stub.mjs";

const SHAPE = [26, 30, 22];
const SPACING = [1, 0.8, 2.1];
const ORIGIN = [-12.5, 30.25, 7];

/** A gzipped file whose axis `a` is axis `order[a]` of the world, turned where `turned` says so; `value` is of the world's voxels. */
function stored(value, { order = [0, 1, 2], turned = [false, false, false], origin = ORIGIN, shape = SHAPE } = {}) {
  const edges = order.map((world) => shape[world]);
  const bytes = makeNifti(edges, (...voxel) => {
    const at = [0, 0, 0];
    order.forEach((world, axis) => (at[world] = turned[axis] ? edges[axis] - 1 - voxel[axis] : voxel[axis]));
    return value(...at);
  });
  for (let row = 0; row < 3; row++) {
    for (let axis = 0; axis < 4; axis++) bytes.writeFloatLE(0, 280 + 16 * row + 4 * axis);
  }
  order.forEach((world, axis) => {
    bytes.writeFloatLE(SPACING[world], 80 + 4 * axis);
    bytes.writeFloatLE(turned[axis] ? -SPACING[world] : SPACING[world], 280 + 16 * world + 4 * axis);
    bytes.writeFloatLE(origin[world] + (turned[axis] ? SPACING[world] * (edges[axis] - 1) : 0), 292 + 16 * world);
  });
  return gzipSync(bytes);
}

const ball = (center, radius) => (x, y, z) => Math.hypot(x - center[0], y - center[1], 2 * (z - center[2])) < radius;
const either = (first, second) => (x, y, z) => (first(x, y, z) ? 1 : second(x, y, z) ? 2 : 0);
/** What was found has the middle of the scan as 1, the reference as 2. */
const found = either(ball([13, 14, 11], 8), ball([13, 24, 11], 6));
const wanted = either(ball([12, 7, 11], 6), ball([13, 18, 10], 9));
const scan = stored((x, y, z) => 100 + 10 * x + y + z);
const renumbered = (numbers) => (x, y, z) => numbers[wanted(x, y, z)];

const folder = scratch();
function file(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
const result = stored(found);
const prediction = file("prediction.nii.gz", result);
const reference = file("case_dseg.nii.gz", stored(wanted));

const withResult = sharedPage({ view: "planes", prepare: stubWorker({ labelMap: result }) }, async (visitor) => {
  await visitor.waitForModel();
  await visitor.choose({ name: "scan.nii.gz", bytes: scan });
  await visitor.waitForScan("scan.nii.gz");
  await visitor.segment();
});

/** The page with the result and no comparison. */
async function segmented() {
  const visitor = await withResult();
  await visitor.forgetComparison();
  return visitor;
}

/** The whole numbers of the table, null where there is none; waits for a comparison with that file. */
async function scores(visitor, name) {
  await visitor.at("comparison").getByText(`Against ${name}`).waitFor();
  await visitor.page.waitForFunction(() => document.querySelector('[data-testid="comparing"]').textContent === "");
  const rows = await visitor.at("scores").locator("tbody tr, tfoot tr").all();
  return Promise.all(
    rows.map((row) =>
      row.evaluate((row) => [row.querySelector("th").textContent, ...[...row.querySelectorAll("td")].map((cell) => (cell.title === "" ? null : Number(cell.title)))]),
    ),
  );
}

function command(...words) {
  const said = dinomed3d("evaluate", "--predictions", prediction, ...words);
  assert.equal(said.status, 0, said.stderr);
  return said.stdout;
}

test("numbers are those of the command line to the last digit", async (t) => {
  const visitor = await segmented();
  await visitor.at("reference-input").setInputFiles(reference);
  const shown = await scores(visitor, "case_dseg.nii.gz");
  const [native] = JSON.parse(command("--references", reference, "--json")).cases;
  assert.equal(native.labels.length, 2);
  const expected = native.labels.map((label) => [label.dice, label.hd95Mm, label.assdMm, label.predictionMl - label.referenceMl]);
  assert.deepEqual(shown.map(([, ...numbers]) => numbers), [...expected, [native.meanDice, null, null, null]]);
  assert.deepEqual(shown.map(([name]) => name), ["Anterior", "Posterior", "Mean of 2 in the reference"]);
  assert.ok(expected.every(([dice, hd95]) => dice > 0.05 && dice < 0.95 && hd95 > 1), "the two differ, but not wholly");
  t.diagnostic(`${JSON.stringify(expected)}`);

  const table = join(folder, "native.csv");
  command("--references", reference, "--csv", table);
  const { name, bytes } = await visitor.saved("save-comparison");
  assert.equal(name, "scan_comparison.csv");
  const withoutName = (text) => text.split("\r\n").map((line) => line.split(",").toSpliced(2, 1));
  assert.deepEqual(withoutName(bytes.toString()), withoutName(readFileSync(table, "utf8")));
  assert.deepEqual(visitor.problems, []);
});

test("a reference that is stored along other axes gives the same numbers", async () => {
  const visitor = await segmented();
  await visitor.at("reference-input").setInputFiles(reference);
  const straight = await scores(visitor, "case_dseg.nii.gz");
  for (const [name, way] of [
    ["flipped.nii.gz", { turned: [true, false, true] }],
    ["turned.nii.gz", { order: [2, 0, 1], turned: [false, true, false] }],
  ]) {
    await visitor.at("reference-input").setInputFiles(file(name, stored(wanted, way)));
    assert.deepEqual(await scores(visitor, name), straight, name);
  }
});

test("other numbers are mapped by hand, and a label that only the result has is in no mean", async () => {
  const visitor = await segmented();
  await visitor.at("reference-input").setInputFiles(reference);
  const straight = await scores(visitor, "case_dseg.nii.gz");
  const other = file("other.nii.gz", stored(renumbered([0, 17, 53])));
  await visitor.at("reference-input").setInputFiles(other);
  const unmapped = await scores(visitor, "other.nii.gz");
  const native = JSON.parse(command("--references", other, "--json")).cases[0];
  assert.equal(native.ghosts.length, 2);
  const names = ["label 17 (missed)", "label 53 (missed)", "Anterior (not in the reference)", "Posterior (not in the reference)", "Mean of 2 in the reference"];
  assert.deepEqual(unmapped.map(([name]) => name), names);
  assert.deepEqual(unmapped.map(([, dice]) => dice), [0, 0, null, null, 0], "what was missed counts, what nobody drew does not");
  assert.deepEqual(unmapped[2].at(-1), native.ghosts[0].predictionMl);
  await visitor.at("means-17").selectOption("1");
  await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid="scores"] tbody tr').length === 3);
  const half = await scores(visitor, "other.nii.gz");
  assert.equal(half.at(-1)[1], half.find(([name]) => name === "Anterior")[1] / 2, "of what the reference has");
  await visitor.at("means-53").selectOption("2");
  await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid="scores"] tbody tr').length === 2);
  assert.deepEqual(await scores(visitor, "other.nii.gz"), straight);
});

test("large numbers are compared, and a table beside a reference says what its numbers are", async () => {
  const visitor = await segmented();
  await visitor.at("reference-input").setInputFiles(reference);
  const straight = await scores(visitor, "case_dseg.nii.gz");
  const other = file("large.nii.gz", stored(renumbered([0, 1017, 70])));
  await visitor.at("reference-input").setInputFiles(other);
  const unnamed = await scores(visitor, "large.nii.gz");
  assert.deepEqual(unnamed.slice(0, 2).map(([name]) => name), ["label 70 (missed)", "label 1017 (missed)"]);
  const table = file("large_dseg.tsv", "index\tname\n1017\tanterior\n70\tPOSTERIOR\n");
  await visitor.at("reference-input").setInputFiles([table, other]);
  await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid="scores"] tbody tr').length === 2);
  assert.deepEqual(await scores(visitor, "large.nii.gz"), straight);
  assert.equal(await visitor.at("means-1017").inputValue(), "1");
  const { text } = await visitor.report();
  assert.ok(text.includes("Its 1017 was taken for Anterior.") && text.includes("Its 70 was taken for Posterior."), text);
  await visitor.at("reference-input").setInputFiles([table, file("notes.txt", "1017 anterior"), other]);
  await visitor.at("comparison-problem").filter({ hasText: "these are 1 and 2" }).waitFor();
});

test("a report has the comparison, and what numbers were taken for", async () => {
  const visitor = await segmented();
  assert.equal((await visitor.report()).tables.scores, undefined);
  const other = file("<i>other & more.nii.gz", stored(renumbered([0, 17, 53])));
  await visitor.at("reference-input").setInputFiles(other);
  await scores(visitor, "<i>other & more.nii.gz");
  await visitor.at("means-17").selectOption("1");
  await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid="scores"] tbody tr').length === 3);
  await scores(visitor, "<i>other & more.nii.gz");
  await visitor.at("overlay").selectOption("Disagreement");
  const rows = await visitor.at("scores").locator("tbody tr, tfoot tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  assert.equal(rows.length, 4);
  const { name, html, tables, text } = await visitor.report();
  assert.equal(name, "scan_report.html");
  assert.deepEqual(tables.scores, rows);
  for (const said of ["Against <i>other & more.nii.gz", "Its 17 was taken for Anterior.", "where result and reference differ", "only in the result"]) {
    assert.ok(text.includes(said), said);
  }
  assert.ok(html.includes("&lt;i&gt;other &amp; more.nii.gz") && !html.includes("<i>other"));
  assert.deepEqual(visitor.problems, []);
});

test("reference and disagreement are laid over the scan in turn", async () => {
  const visitor = await segmented();
  const here = async (label) => {
    await visitor.page.locator('[data-testid="location"]', { hasText: new RegExp(`· ${label}$`) }).waitFor();
    await visitor.waitForShares(({ colored }) => colored > 0.01, label);
  };
  await here("Anterior");
  await visitor.page.evaluate(() => {
    window.namesHeard = new Set();
    const location = document.querySelector('[data-testid="location"]');
    const look = () => window.namesHeard.add(location.textContent.split(" · ").at(-1));
    new MutationObserver(look).observe(location, { subtree: true, childList: true, characterData: true });
  });
  await visitor.at("reference-input").setInputFiles(reference);
  await scores(visitor, "case_dseg.nii.gz");
  await visitor.at("overlay").selectOption("Reference");
  await here("Posterior");
  await visitor.at("overlay").selectOption("Disagreement");
  await here("another label");
  assert.deepEqual(await visitor.at("legend").locator("li").allInnerTexts(), ["only in the result", "only in the reference", "another label"]);
  await visitor.at("overlay").selectOption("Result");
  await here("Anterior");
  // A label of one map has no name of another one's, not for a moment.
  const heard = await visitor.page.evaluate(() => [...window.namesHeard].sort());
  assert.deepEqual(heard, ["Anterior", "Posterior", "another label"]);
  await visitor.at("overlay").selectOption("Disagreement");
  await visitor.at("forget-comparison").click();
  await here("Anterior");
  assert.equal(await visitor.at("comparison").count(), 0);
  assert.deepEqual(visitor.problems, []);
});

test("what is no reference of the scan is refused in a sentence, and nothing is lost", async () => {
  const visitor = await segmented();
  await visitor.at("reference-input").setInputFiles(reference);
  const before = await scores(visitor, "case_dseg.nii.gz");
  for (const [name, bytes, said] of [
    ["notes.nii", Buffer.from("These are notes, no label map. ".repeat(40)), /^notes\.nii can't be compared: .*\.$/],
    ["shifted.nii.gz", stored(wanted, { origin: [-12.5, 30.25, 11] }), /another grid, which lies up to 4\.0 mm from the scan's.*first\.$/],
    ["cropped.nii.gz", stored(wanted, { shape: [26, 30, 21] }), /26 × 30 × 21 voxels of 1\.00 × 0\.80 × 2\.10 mm, the scan's is 26 × 30 × 22/],
    ["scan.nii.gz", stored((x) => x / 7), /^scan\.nii\.gz can't be compared: .*\.$/],
    ["empty.nii.gz", stored(() => 0), /it holds no label, only background\.$/],
  ]) {
    await visitor.at("reference-input").setInputFiles({ name, mimeType: "application/octet-stream", buffer: bytes });
    const problem = visitor.at("comparison-problem").filter({ hasText: name });
    await problem.waitFor();
    assert.match(await problem.innerText(), said);
    assert.deepEqual(await scores(visitor, "case_dseg.nii.gz"), before);
  }
  assert.equal(await visitor.at("download-labels").count(), 1);
  assert.equal(await visitor.errorText(), null);
  // A drop on the control is a reference, elsewhere a scan.
  const transfer = await visitor.page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], "dropped.nii.gz"));
    return transfer;
  }, stored(found).toString("base64"));
  await visitor.at("reference-input").dispatchEvent("drop", { dataTransfer: transfer });
  const perfect = await scores(visitor, "dropped.nii.gz");
  assert.deepEqual(perfect.map(([, dice]) => dice), [1, 1, 1]);
  assert.equal(await visitor.at("comparison-problem").count(), 0);
  // The next result is another one.
  await visitor.segment();
  assert.equal(await visitor.at("comparison").count(), 0);
});
