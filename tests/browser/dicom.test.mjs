// What is more than one file, or holds more than one scan: DICOM series, pairs, series in time.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeSeries } from "../dicom.mjs";
import { agreement, makeNifti, readNifti } from "../nifti.mjs";
import { data, dinomed3d, model, root, scratch, without } from "../places.mjs";
import { onlyModel, sharedPage } from "./page.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

const blob = (x, y, z) => Math.round(1000 * Math.exp(-((x - 18) ** 2 + (y - 20) ** 2 + (2 * z - 16) ** 2) / 200));
const first = makeSeries({ uid: "1.2.3.1", number: 1, description: "scout", shape: [20, 24, 8], spacing: [2, 2, 5], value: blob });
const second = makeSeries({ uid: "1.2.3.2", number: 2, description: "brain", shape: [36, 40, 16], spacing: [1, 1, 2], value: blob });

const withSample = sharedPage({ query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") }, async (visitor) => {
  await visitor.waitForModel();
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
});

/** A folder on disk with these files below it, some of them a folder deeper. */
function folderOf(files) {
  const folder = join(scratch(), "study");
  mkdirSync(join(folder, "deeper"), { recursive: true });
  files.forEach(({ name, bytes }, i) => writeFileSync(join(folder, i % 2 ? "deeper" : "", name), bytes));
  return folder;
}

/** Files as they are handed to the page's own script. */
const portable = (files) => files.map(({ name, bytes }) => ({ name, base64: bytes.toString("base64") }));

/** Drops a folder: in a browser its entries come some at a time, of which a program can make none. */
async function dropFolder(visitor, name, files) {
  await visitor.page.evaluate(
    ({ name, files }) => {
      const fileOf = ({ name, base64 }) => new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name);
      const entries = files.map((file) => ({ isFile: true, fullPath: `/${name}/${file.name}`, file: (done) => done(fileOf(file)) }));
      const createReader = () => ({ readEntries: (done) => setTimeout(() => done(entries.splice(0, 5))) });
      const own = DataTransferItem.prototype.webkitGetAsEntry;
      DataTransferItem.prototype.webkitGetAsEntry = () => ({ isFile: false, isDirectory: true, fullPath: `/${name}`, createReader });
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([], name));
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
      DataTransferItem.prototype.webkitGetAsEntry = own;
    },
    { name, files: portable(files) },
  );
}

/** How many pixels of all frames belong to a segment: one bit each, in the last element of a segmentation's file. */
function marked(seg) {
  const at = seg.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]));
  const pixels = seg.subarray(at + 12, at + 12 + seg.readUInt32LE(at + 8));
  return pixels.reduce((count, byte) => count + byte.toString(2).replaceAll("0", "").length, 0);
}

/** The facts that the page shows of its scan. */
const facts = (visitor) => visitor.at("scan-facts").innerText();

/** The button of a scan that is offered. */
const offer = (visitor, name) => visitor.at("series").getByRole("button", { name });

test("all files of a series are one scan, which is segmented on its own grid and sent nowhere", async (t) => {
  const visitor = await withSample();
  const before = visitor.requests.length;
  await visitor.chooseAll(second.toReversed());
  await visitor.waitForScan("2-001.dcm");
  assert.equal(await visitor.at("series").count(), 0, "there is nothing to choose");
  assert.match(await facts(visitor), /brain[^]*36 × 40 × 16[^]*1\.00 × 1\.00 × 2\.00 mm/);
  assert.ok(await visitor.canvasShowsSomething());
  await visitor.segment();
  const { name, bytes } = await visitor.save();
  assert.equal(name, "2-001_dseg.nii.gz");
  const [download] = await Promise.all([visitor.page.waitForEvent("download"), visitor.at("download-seg").click()]);
  assert.equal(download.suggestedFilename(), "2-001_seg.dcm");
  const seg = readFileSync(await download.path());
  assert.equal(seg.toString("latin1", 128, 132), "DICM");
  assert.ok(seg.includes("1.2.840.10008.5.1.4.1.1.66.4"), "a segmentation");
  assert.ok(second.every((_, z) => seg.includes(`1.2.3.2.${z + 1}`)), "that refers to all files of the series");

  const [folder, out] = [folderOf(second), scratch()];
  const [scan, native] = [join(out, "scan.nii.gz"), join(out, "native.nii.gz")];
  for (const words of [["nifti", folder, "-o", scan], ["segment", folder, "-o", native, "--model", model]]) {
    const said = dinomed3d(...words);
    assert.equal(said.status, 0, said.stderr);
  }
  const [page, command] = [bytes, native].map(readNifti);
  assert.deepEqual(page.geometry, readNifti(scan).geometry);
  const equal = agreement(page.voxels, command.voxels);
  t.diagnostic(`${(100 * equal).toFixed(3)} % of voxels equal the command line's`);
  assert.ok(equal >= 0.999, `${equal}`);

  // What a person changes has a segmentation of its own, which says so and holds the change.
  await visitor.at("mend").click();
  await visitor.at("mend-label").selectOption("1");
  await visitor.at("mend-size").fill("8");
  await visitor.at("mend-size").press("Enter");
  await visitor.page.locator("#viewer canvas").focus();
  for (const key of ["b", " "]) await visitor.page.keyboard.press(key);
  const { name: mendedName, bytes: mended } = await visitor.saved("download-labels");
  assert.equal(mendedName, "2-001_desc-mended_dseg.nii.gz");
  const { name: segName, bytes: changed } = await visitor.saved("download-seg");
  assert.equal(segName, "2-001_desc-mended_seg.dcm");
  for (const words of ["SEMIAUTOMATIC", "changed by hand"]) {
    assert.ok(changed.includes(words) && !seg.includes(words), words);
  }
  const labelled = (file) => readNifti(file).voxels.filter((voxel) => voxel !== 0).length;
  assert.equal(marked(seg), labelled(bytes));
  assert.equal(marked(changed), labelled(mended));
  assert.notEqual(marked(changed), marked(seg));
  // A scan with a changed result would stay in a list.
  await visitor.at("mend-undo").click();
  await visitor.at("mend").click();

  const sent = visitor.requests.slice(before).map((request) => request.url());
  assert.deepEqual(sent.filter((address) => !/^(blob|data):/.test(address)), []);
  assert.deepEqual(visitor.problems, []);
});

test("of a folder with two series one is chosen by keyboard, and a fresh worker has the same", async () => {
  const visitor = await withSample();
  const before = await facts(visitor);
  const notes = { name: "read me.txt", bytes: Buffer.from("no scan") };
  await visitor.at("folder-input").setInputFiles(folderOf([...first, ...second, notes]));
  await visitor.at("series").waitFor();
  assert.match(await visitor.at("status").innerText(), /study holds 2 scans/);
  assert.equal(await facts(visitor), before, "the scan before it is still there");
  assert.match(await offer(visitor, /^scout/).innerText(), /MR, 8 slices of 20 × 24, 2\.00 × 2\.00 × 5\.00 mm/);
  const isDrawn = (picture) => picture.complete && picture.naturalWidth > 0 && Math.max(picture.naturalWidth, picture.naturalHeight) <= 96;
  assert.ok(await offer(visitor, /^scout/).locator("img").evaluate(isDrawn));
  assert.deepEqual(await visitor.violations(), []);

  await offer(visitor, /^scout/).focus();
  await visitor.page.keyboard.press("Tab");
  assert.ok(await offer(visitor, /^brain/).evaluate((button) => button === document.activeElement));
  await visitor.page.keyboard.press("Enter");
  await visitor.waitForScan("study");
  assert.match(await facts(visitor), /brain/);
  assert.equal(await visitor.at("series").count(), 0);

  await visitor.at("backend").selectOption("automatic");
  await visitor.waitForModel();
  await visitor.segment();
  const { name, bytes } = await visitor.save();
  assert.equal(name, "study_brain_dseg.nii.gz");
  assert.deepEqual(readNifti(bytes).shape, [36, 40, 16]);
});

test("a dropped folder is read whole, and none of its scans need be taken", async () => {
  const visitor = await withSample();
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await dropFolder(visitor, "dropped", [...first, ...second]);
  await visitor.at("series").waitFor();
  assert.match(await visitor.at("series").innerText(), /dropped[^]*8 slices[^]*16 slices/);
  await visitor.at("series").getByRole("button", { name: "None of these" }).click();
  assert.equal(await visitor.at("series").count(), 0);
  assert.match(await facts(visitor), /sample\.nii\.gz/);
  await dropFolder(visitor, "one", first);
  await visitor.waitForScan("one");
  assert.match(await facts(visitor), /20 × 24 × 8/);
});

test("a series with a hole is refused with the count, and the scan before it stays", async () => {
  const visitor = await withSample();
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await visitor.chooseAll(second.filter((_, z) => z !== 5));
  assert.match(await visitor.waitForError(), /can't be opened: 1 slice is missing: 15 of 16/);
  assert.match(await facts(visitor), /sample\.nii\.gz/);
  await visitor.at("dismiss").click();
  await dropFolder(visitor, "nothing", []);
  assert.match(await visitor.waitForError(), /no files in nothing/);
  await visitor.at("dismiss").click();
});

test("of a series in time one volume is chosen", async () => {
  const visitor = await withSample();
  const bytes = makeNifti([8, 8, 8, 3], (x, y, z) => (z < 8 ? x : z < 16 ? 1000 : y));
  await visitor.choose({ name: "time.nii", bytes });
  await visitor.at("series").waitFor();
  assert.match(await visitor.at("status").innerText(), /time\.nii holds 3 volumes/);
  const volume = visitor.at("series").getByRole("spinbutton");
  await volume.fill("9");
  await volume.blur();
  assert.equal(await volume.inputValue(), "2", "there are no more");
  await volume.fill("1");
  await volume.blur();
  await offer(visitor, /3 volumes/).click();
  // Named by its volume, as all that is saved of it is.
  await visitor.waitForScan("time_vol-1");
  assert.match(await facts(visitor), /8 × 8 × 8/);
  await visitor.page.locator('[data-testid="location"]', { hasText: "value 1000" }).waitFor();
});

test("a pair that is chosen or dropped together is one scan, and one of it alone says what is missing", async () => {
  const visitor = await withSample();
  const whole = makeNifti([12, 10, 8], (x, y, z) => x + y + z);
  const header = Buffer.from(whole.subarray(0, 348));
  header.write("ni1\0", 344, "latin1");
  header.writeFloatLE(0, 108);
  const pair = [
    { name: "pair.hdr", bytes: header },
    { name: "pair.img", bytes: whole.subarray(352) },
  ];
  await visitor.chooseAll(pair);
  await visitor.waitForScan("pair.hdr");
  assert.match(await facts(visitor), /12 × 10 × 8/);
  // Before anything is computed.
  await visitor.at("preflight").getByText(/This scan measures 12 × 10 × 8 mm; the model was trained on scans of .* Expect wrong labels\./).waitFor();
  assert.ok(await visitor.canvasShowsSomething());
  await visitor.choose(pair[0]);
  assert.match(await visitor.waitForError(), /header of a pair/);
  await visitor.at("dismiss").click();

  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await visitor.page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const { name, base64 } of files) {
      dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
    }
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
  }, portable(pair));
  await visitor.waitForScan("pair.hdr");
});

for (const name of ["generic_anatomical_001", "generic_compressed_j2k_001", "generic_compressed_rle_001"]) {
  test(`${name}, a real series, lies where its reference does`, { skip: without(`dicom/series/${name}`) }, async () => {
    const visitor = await withSample();
    const folder = join(data, "dicom/series", name);
    await visitor.at("file-input").setInputFiles(readdirSync(folder).map((file) => join(folder, file)));
    await visitor.waitForScan(readdirSync(folder).sort()[0]);
    const { shape } = readNifti(join(data, "dicom/series", `${name}.nii.gz`));
    const [columns, rows, slices] = (await facts(visitor)).match(/(\d+) × (\d+) × (\d+)/).slice(1).map(Number);
    // The reference may have its axes in another order.
    assert.deepEqual([columns, rows, slices].sort(), shape.slice(0, 3).sort());
    assert.ok(await visitor.canvasShowsSomething());
  });
}
