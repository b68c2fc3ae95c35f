// A result changed by hand, by mouse and by keyboard: what is painted is in every file that is saved, and what is undone in none.
// What a worker would compute is canned; its label map is that of the sample.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeNifti, readNifti } from "../nifti.mjs";
import { root } from "../places.mjs";
import { open, sharedPage } from "./page.mjs";
import { saved } from "./strokes.mjs";
import { stubWorker } from "./stub.mjs";

const found = readNifti(readFileSync(join(root, "public/samples/sample_dseg.nii.gz")));
const [WIDTH, HEIGHT, DEPTH] = found.shape;
const thePage = sharedPage({ prepare: stubWorker(), viewport: { width: 1280, height: 720 } }, (visitor) => visitor.waitForModel());

/** The page with the network's result and the pen in its hand; questions are answered with `answer`. */
async function mending({ view = "planes" } = {}) {
  const visitor = await thePage();
  await visitor.at("planes").selectOption(view);
  await visitor.takeSegmented("Sample hippocampus");
  if ((await visitor.at("mend").getAttribute("aria-pressed")) === "true") await visitor.at("mend").click();
  visitor.page.removeAllListeners("dialog");
  visitor.page.on("dialog", (dialog) => dialog.accept());
  await visitor.at("mend").click();
  if (await visitor.at("mend-restore").isEnabled()) {
    await visitor.at("mend-restore").click();
    await visitor.at("mend").click();
  }
  await visitor.at("mend-solid").setChecked(true);
  await visitor.at("mend-keep").setChecked(false);
  await visitor.at("mend-brush").click();
  await visitor.at("mend-label").selectOption("1");
  await visitor.page.locator("#viewer canvas").focus();
  return visitor;
}

/** Which voxels differ, as [x, y, z, before, after]. */
function differences(before, after) {
  const all = [];
  for (let i = 0; i < before.length; i++) {
    if (before[i] !== after[i]) all.push([i % WIDTH, Math.floor(i / WIDTH) % HEIGHT, Math.floor(i / (WIDTH * HEIGHT)), before[i], after[i]]);
  }
  return all;
}

/** The voxel at the crosshair. */
async function crosshair(visitor) {
  const text = await visitor.at("location").innerText();
  return text.match(/voxel (\d+), (\d+), (\d+)/).slice(1).map(Number);
}

const assertTable = async (visitor, voxels) => {
  const rows = await visitor.statistics();
  const counts = [1, 2].map((label) => voxels.filter((voxel) => voxel === label).length);
  assert.deepEqual(rows.map((row) => row.voxels), counts);
};

async function setSize(visitor, size) {
  await visitor.at("mend-size").fill(String(size));
  await visitor.at("mend-size").press("Enter");
}

test("by keyboard: a ball at the crosshair is in volumes and file, and undo and redo are exact", async () => {
  const visitor = await mending();
  await setSize(visitor, 5);
  const canvas = visitor.page.locator("#viewer canvas");
  await canvas.focus();
  const key = (name) => visitor.page.keyboard.press(name);
  for (let i = 0; i < 3; i++) await key("ArrowRight");
  await key("b");
  await key(" ");
  const place = await crosshair(visitor);
  const first = await saved(visitor);
  const changed = differences(found.voxels, first.voxels);
  assert.ok(changed.length > 0);
  for (let i = 0; i < found.voxels.length; i++) {
    const at = [i % WIDTH, Math.floor(i / WIDTH) % HEIGHT, Math.floor(i / (WIDTH * HEIGHT))];
    const mm = Math.hypot(...at.map((index, axis) => (index - place[axis]) * found.spacing[axis]));
    assert.equal(first.voxels[i], mm <= 2.5 ? 1 : found.voxels[i], `${at}`);
  }
  assert.deepEqual(first.geometry, found.geometry);
  assert.equal(first.description, "DINO-Med3D phantom reference; changed by hand; not a medical device", "and by whom before");
  assert.equal(first.name, "sample_desc-mended_dseg.nii.gz");
  await assertTable(visitor, first.voxels);
  assert.match(await visitor.at("mended-note").innerText(), /^Changed by hand/);
  assert.equal(await visitor.at("file-name").innerText(), first.name, "before it is saved, too");

  // Another size, another label, another place.
  await canvas.focus();
  await key("]");
  assert.equal(await visitor.at("mend-size").inputValue(), "6.3");
  await key("[");
  await visitor.at("mend-label").selectOption("2");
  await canvas.focus();
  for (let i = 0; i < 2; i++) await key("PageUp");
  await key("Enter");
  const second = await saved(visitor);
  assert.ok(differences(first.voxels, second.voxels).every(([, , , , after]) => after === 2));
  assert.ok(differences(first.voxels, second.voxels).length > 0);
  await canvas.focus();
  await key("Control+z");
  assert.deepEqual((await saved(visitor)).voxels, first.voxels);
  await canvas.focus();
  await key("Control+Shift+Z");
  assert.deepEqual((await saved(visitor)).voxels, second.voxels);
  await assertTable(visitor, second.voxels);
  await canvas.focus();
  await key("Control+z");
  await key("Control+z");
  assert.ok(await visitor.at("mend-undo").isDisabled());
  assert.equal(await visitor.at("mended-note").count(), 0, "nobody has changed anything");
  await canvas.focus();
  await key("Escape");
  assert.equal(await visitor.at("mend-tools").count(), 0);
  const last = await saved(visitor);
  assert.equal(last.name, "sample_dseg.nii.gz");
  assert.deepEqual(last.bytes, found.bytes, "the network's own file");
  assert.deepEqual(visitor.problems, []);
});

for (const view of ["axial", "coronal", "sagittal"]) {
  test(`by mouse: a stroke in the ${view} plane is painted where the pointer was, on that slice alone`, async () => {
    const visitor = await mending({ view });
    await visitor.at("mend-solid").setChecked(false);
    await setSize(visitor, 3);
    const box = await visitor.page.locator("#viewer canvas").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const across = { axial: 2, coronal: 1, sagittal: 0 }[view];
    await visitor.page.mouse.move(x - 30, y);
    await visitor.page.mouse.down();
    await visitor.page.waitForTimeout(200);
    const begun = await crosshair(visitor);
    await visitor.page.mouse.move(x + 40, y + 30, { steps: 4 });
    await visitor.page.mouse.up();
    await visitor.page.waitForTimeout(200);
    const ended = await crosshair(visitor);
    const { voxels } = await saved(visitor);
    const changed = differences(found.voxels, voxels);
    assert.ok(changed.length > 10, `${changed.length} voxels`);
    assert.ok(changed.every((voxel) => voxel[across] === ended[across] && voxel[4] === 1));
    const index = ([x, y, z]) => x + WIDTH * (y + HEIGHT * z);
    assert.equal(voxels[index(ended)], 1);
    // Nothing is farther than the ball from the straight way.
    const inMm = (voxel) => voxel.slice(0, 3).map((at, axis) => at * found.spacing[axis]);
    const [from, to] = [inMm(begun), inMm(ended)];
    for (const voxel of changed) {
      const there = inMm(voxel);
      const way = to.map((at, axis) => at - from[axis]);
      const square = way.reduce((sum, part) => sum + part * part, 0) || 1;
      const share = Math.min(1, Math.max(0, way.reduce((sum, part, axis) => sum + part * (there[axis] - from[axis]), 0) / square));
      const apart = Math.hypot(...there.map((at, axis) => at - from[axis] - share * way[axis]));
      assert.ok(apart <= 1.5 + 1.5 * Math.max(...found.spacing), `${voxel}: ${apart} mm`);
    }
    await assertTable(visitor, voxels);
    await visitor.at("mend-undo").click();
    assert.deepEqual((await saved(visitor)).voxels, found.voxels, "a stroke is undone as a whole");
    await visitor.at("mend-redo").click();
    assert.deepEqual((await saved(visitor)).voxels, voxels);
  });
}

test("a scan that lies otherwise is painted where the crosshair is told to be, in file and on screen", async (t) => {
  // x runs to the left and z before y; the file lies on its side, with voxels of three edges.
  const shape = [20, 24, 28];
  const turned = (value) => {
    const bytes = makeNifti(shape, value);
    [[-1, 0, 0, 50], [0, 0, 1.5, -20], [0.2, 2, 0, 10]].forEach((row, i) => row.forEach((part, j) => bytes.writeFloatLE(part, 280 + 16 * i + 4 * j)));
    [Math.hypot(1, 0.2), 2, 1.5].forEach((edge, axis) => bytes.writeFloatLE(edge, 80 + 4 * axis));
    return bytes;
  };
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ labelMap: gzipSync(turned(() => 0)) }) });
  await visitor.waitForModel();
  await visitor.choose({ name: "turned.nii", bytes: turned((x, y, z) => x + y + z) });
  await visitor.waitForScan("turned.nii");
  await visitor.segment();
  await visitor.at("mend").click();
  await setSize(visitor, 0.5);
  const painted = [];
  const paint = async () => {
    await visitor.page.waitForTimeout(200);
    painted.push((await crosshair(visitor)).join());
    await visitor.page.locator('[data-testid="location"]', { hasText: /· Anterior$/ }).waitFor();
  };
  await visitor.page.locator("#viewer canvas").focus();
  for (const key of ["ArrowRight", "ArrowUp", "PageUp"]) {
    for (let i = 0; i < 3; i++) await visitor.page.keyboard.press(key);
    await visitor.page.keyboard.press(" ");
    await paint();
  }
  const box = await visitor.page.locator("#viewer canvas").boundingBox();
  for (const view of ["axial", "coronal", "sagittal"]) {
    await visitor.at("planes").selectOption(view);
    await visitor.page.waitForTimeout(200);
    await visitor.page.mouse.click(box.x + box.width * 0.55, box.y + box.height * 0.4);
    await paint();
  }
  const { voxels, geometry } = readNifti((await visitor.saved("download-labels")).bytes);
  const place = (i) => [i % shape[0], Math.floor(i / shape[0]) % shape[1], Math.floor(i / (shape[0] * shape[1]))];
  const found = voxels.flatMap((voxel, i) => (voxel === 0 ? [] : [place(i).join()]));
  assert.deepEqual(found.sort(), [...new Set(painted)].sort());
  assert.deepEqual(geometry, readNifti(turned(() => 0)).geometry);
  assert.deepEqual(visitor.problems, []);
});

test("what is erased and filled is seen on screen and in the file; an open outline is refused in a sentence", async () => {
  const visitor = await mending({ view: "axial" });
  const canvas = visitor.page.locator("#viewer canvas");
  await visitor.at("mend-fill").click();
  const labelAt = ([x, y, z]) => found.voxels[x + WIDTH * (y + HEIGHT * z)];
  await canvas.focus();
  // The crosshair begins in the middle; the sample's label there says what is connected.
  const middle = await crosshair(visitor);
  const here = labelAt(middle);
  assert.notEqual(here, 0);
  await visitor.at("mend-label").selectOption(String(3 - here));
  await canvas.focus();
  await visitor.page.keyboard.press(" ");
  const changed = differences(found.voxels, (await saved(visitor)).voxels);
  assert.ok(changed.length > 20 && changed.every(([, , , before, after]) => before === here && after === 3 - here));
  await visitor.at("mend-undo").click();
  await canvas.focus();
  for (let i = 0; i < 60; i++) await visitor.page.keyboard.press("ArrowUp");
  assert.equal(labelAt(await crosshair(visitor)), 0);
  await visitor.page.keyboard.press(" ");
  assert.match(await visitor.at("mend-note").innerText(), /^Not filled: .*Close the outline first\.$/);
  assert.ok(await visitor.at("mend-undo").isDisabled());

  // All labels away: on screen nothing coloured but the crosshair is left.
  const { colored } = await visitor.canvasShares();
  await visitor.at("mend-erase").click();
  await setSize(visitor, 50);
  const box = await canvas.boundingBox();
  await visitor.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await visitor.page.mouse.down();
  await visitor.page.mouse.up();
  await visitor.waitForShares((shares) => shares.colored < colored / 2, `less than ${colored}`);
  const { voxels } = await saved(visitor);
  assert.ok(voxels.filter((voxel) => voxel !== 0).length < found.voxels.filter((voxel) => voxel !== 0).length / 2);
  await assertTable(visitor, voxels);
});

test("other labels are kept where they are to be, and Alt takes the label under the pointer", async () => {
  const visitor = await mending({ view: "axial" });
  await visitor.at("mend-keep").setChecked(true);
  await setSize(visitor, 50);
  const canvas = visitor.page.locator("#viewer canvas");
  await canvas.focus();
  await visitor.page.keyboard.press(" ");
  const changed = differences(found.voxels, (await saved(visitor)).voxels);
  assert.ok(changed.length > 1000 && changed.every(([, , , before, after]) => before === 0 && after === 1));
  await visitor.at("mend-undo").click();
  await visitor.at("mend-label").selectOption("1");
  const box = await canvas.boundingBox();
  const labels = new Set();
  for (let share = 0.3; share < 0.75; share += 0.05) {
    await visitor.page.keyboard.down("Alt");
    await visitor.page.mouse.click(box.x + box.width / 2, box.y + box.height * share);
    await visitor.page.keyboard.up("Alt");
    labels.add(await visitor.at("mend-label").inputValue());
  }
  assert.deepEqual([...labels].sort(), ["1", "2"]);
  assert.ok(await visitor.at("mend-undo").isDisabled(), "nothing was painted");
});

test("a comparison is made anew, and a reference that is painted over is not lost", async () => {
  const visitor = await mending();
  await visitor.at("reference-input").setInputFiles(join(root, "public/samples/sample_dseg.nii.gz"));
  const mean = async () => Number(await visitor.at("scores").locator("tfoot td").first().innerText());
  await visitor.at("scores").waitFor();
  assert.equal(await mean(), 1);
  await setSize(visitor, 8);
  await visitor.page.locator("#viewer canvas").focus();
  await visitor.page.keyboard.press(" ");
  await visitor.page.keyboard.press("Escape");
  await visitor.page.waitForFunction(() => {
    const cell = document.querySelector('[data-testid="scores"] tfoot td');
    return cell && Number(cell.textContent) < 1;
  });
  const { bytes, name } = await visitor.saved("save-comparison");
  assert.equal(name, "sample_desc-mended_comparison.csv");
  assert.ok(!/,1,1,/.test(bytes.toString()), "not a perfect score");
});

test("nothing mended is lost in passing: a run is asked for, and another scan makes a list", async () => {
  const visitor = await mending();
  await setSize(visitor, 6);
  await visitor.page.locator("#viewer canvas").focus();
  await visitor.page.keyboard.press(" ");
  const mended = await saved(visitor);
  visitor.page.removeAllListeners("dialog");
  const asked = [];
  visitor.page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return dialog.dismiss();
  });
  await visitor.at("segment").click();
  assert.match(asked[0], /A person has changed this result/);
  assert.deepEqual((await saved(visitor)).voxels, mended.voxels);
  assert.equal(await visitor.at("progress").count(), 0);

  await visitor.choose({ name: "other.nii", bytes: makeNifti([20, 22, 24], (x, y, z) => x + y + z) });
  await visitor.waitForScan("other.nii");
  const list = await visitor.list();
  assert.equal(list.length, 2);
  assert.match(list[0], /^sample\.nii\.gz: .*, changed by hand$/);
  assert.equal(await visitor.at("mend-tools").count(), 0);
  const zip = await visitor.saved("download-all");
  for (const name of ["sample_desc-mended_dseg.nii.gz", "sample_desc-mended_volumes.csv"]) {
    assert.ok(zip.bytes.includes(Buffer.from(name)), name);
  }
  await visitor.at("scans").getByRole("button", { name: "Remove sample.nii.gz" }).click();
  assert.equal((await visitor.list()).length, 2, "kept as asked");
  await visitor.at("scans").getByRole("button", { name: /^sample\.nii\.gz/ }).click();
  await visitor.waitForScan("sample.nii.gz");
  const back = await saved(visitor);
  assert.deepEqual(back.voxels, mended.voxels);
  assert.equal(back.name, "sample_desc-mended_dseg.nii.gz");
  // Back to the network's.
  visitor.page.removeAllListeners("dialog");
  visitor.page.on("dialog", (dialog) => dialog.accept());
  await visitor.at("mend").click();
  await visitor.at("mend-restore").click();
  assert.deepEqual((await saved(visitor)).bytes, found.bytes);
  assert.deepEqual(visitor.problems, []);
});

for (const [width, height] of [
  [1280, 720],
  [360, 740],
]) {
  test(`the tools are in reach and break no rule of accessibility at ${width} × ${height}`, async () => {
    const visitor = await mending();
    await visitor.page.setViewportSize({ width, height });
    assert.deepEqual(await visitor.violations(), []);
    await visitor.page.emulateMedia({ colorScheme: "dark" });
    assert.deepEqual(await visitor.violations({ runOnly: ["cat.color"] }), []);
    await visitor.page.emulateMedia({ colorScheme: null });
    assert.ok((await visitor.page.evaluate(() => document.documentElement.scrollWidth)) <= width);
    for (const id of ["mend", "mend-brush", "mend-label", "mend-size", "mend-solid", "mend-keep", "mend-undo", "mend-redo", "mend-restore"]) {
      const box = await visitor.at(id).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width, `${id} at ${JSON.stringify(box)}`);
      if (width >= 1280) assert.ok(box.y + box.height <= height, `${id} at ${JSON.stringify(box)}`);
    }
    const canvas = await visitor.page.locator("#viewer canvas").boundingBox();
    assert.ok(canvas.height >= 320, `the canvas is ${canvas.height} high`);
    await visitor.page.setViewportSize({ width: 1280, height: 720 });
  });
}
