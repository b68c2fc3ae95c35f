// A model of the visitor's own, dropped into the page.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EDGE, makeRecipe, makeTwoChannels } from "../cli/boxes.mjs";
import { makeSeries } from "../dicom.mjs";
import { makeNifti, readNifti } from "../nifti.mjs";
import { besides, dinomed3d, model, root, scratch } from "../places.mjs";
import { makeZip } from "../zip.mjs";
import { onlyModel, open, sharedPage } from "./page.mjs";

const sample = join(root, "public/samples/sample.nii.gz");
const weights = readFileSync(join(model, "weights.safetensors"));
const card = { name: "README.md", bytes: readFileSync(join(model, "README.md")) };
const TITLE = "My hippocampus (yours)";

/** The shipped model as somebody else's; `change` mends its manifest. */
function manifest(change) {
  const json = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  Object.assign(json, { name: "mine", title: "My hippocampus" });
  change?.(json);
  return { name: "manifest.json", bytes: Buffer.from(JSON.stringify(json)) };
}
const whole = [manifest(), { name: "weights.safetensors", bytes: weights }, card];
const hash = JSON.parse(whole[0].bytes).weights.sha256;

const withResult = sharedPage({ query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") }, async (visitor) => {
  await visitor.takeSample();
  await visitor.segment();
  const { bytes } = await visitor.save();
  visitor.shipped = readNifti(bytes).voxels;
  await visitor.page.waitForLoadState("networkidle");
  visitor.before = visitor.requests.length;
});

/** What the select of models offers, the chosen one with a star. */
const offered = (visitor) =>
  visitor.at("model").evaluate((select) => [...select.options].map((option) => `${option.selected ? "*" : ""}${option.text}`));

/** Waits for a model of that title to be chosen, and to be usable. */
async function waitForOwn(visitor, title = TITLE) {
  const option = visitor.at("model").locator("option:checked", { hasText: title });
  await option.waitFor({ state: "attached", timeout: 120_000 });
  await visitor.waitForModel();
  assert.equal(await visitor.errorText(), null);
}

async function assertSameLabels(visitor) {
  await visitor.segment();
  const { bytes } = await visitor.save();
  assert.deepEqual(readNifti(bytes).voxels, visitor.shipped);
}

test("files of a model folder are a model: named, chosen, and its labels are those of the same weights", async () => {
  const visitor = await withResult();
  await visitor.chooseAll(whole);
  await waitForOwn(visitor);
  assert.equal((await offered(visitor)).at(-1), `*${TITLE}`);
  assert.match(await visitor.at("model-facts").innerText(), new RegExp(`Your own.*SHA-256 ${hash.slice(0, 16)}`));
  assert.ok(await visitor.at("download-labels").isVisible(), "the result before it is still there");
  const address = await visitor.at("model-card").getAttribute("href");
  assert.match(address, /^blob:/);
  const [opened] = await Promise.all([visitor.context.waitForEvent("page"), visitor.at("model-card").click()]);
  await opened.waitForLoadState();
  assert.equal((await opened.evaluate(() => document.body.innerText)).trim(), card.bytes.toString().trim(), "its own card");
  await opened.close();
  await assertSameLabels(visitor);
  const { text } = await visitor.report();
  assert.match(text, /My hippocampus \(mine\), version [^,]+, the visitor's own/);
  assert.ok(text.includes(hash), "the report has the hash of its weights");
  const asked = visitor.requests.slice(visitor.before).map((request) => request.url());
  // A worker beside this one may be started; it is given the model.
  const isOther = (url) => !/^(blob|data):/.test(url) && !/\/(worker|snippets\/)[^/]*|about:blank/.test(url);
  assert.deepEqual(asked.filter(isOther), [], "nothing is fetched or sent for it");
  assert.ok(visitor.requests.every((request) => request.method() === "GET" && request.postData() === null));
  await visitor.assertAccessible();
});

test("a zip of the folder is the same model and takes its place", async () => {
  const visitor = await withResult();
  const path = join(scratch(), "mine.zip");
  writeFileSync(path, makeZip(whole.map(({ name, bytes }) => ({ name: `mine/${name}`, bytes }))));
  await visitor.at("model").selectOption("hippocampus");
  await visitor.waitForModel();
  await visitor.drop(path);
  await waitForOwn(visitor);
  assert.equal((await offered(visitor)).filter((title) => title.includes(TITLE)).length, 1);
  await assertSameLabels(visitor);
});

test("a chosen folder is one too, even one that is called as the site's", async () => {
  const visitor = await withResult();
  await visitor.at("folder-input").setInputFiles(model);
  const title = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")).title;
  await waitForOwn(visitor, `${title} (yours)`);
  assert.match(await visitor.at("model-facts").innerText(), /Your own/);
  await assertSameLabels(visitor);
});

test("what is wrong with a model is said, and all else stays", async () => {
  const visitor = await withResult();
  const flipped = Buffer.from(weights);
  flipped[flipped.length - 100] ^= 1;
  const changed = (change) => [manifest(change), whole[1], card];
  const before = await offered(visitor);
  for (const [files, said] of [
    [[whole[0], { ...whole[1], bytes: flipped }], new RegExp(`weights have SHA-256 [0-9a-f]{64}, the manifest says ${hash}`)],
    [[whole[0], { ...whole[1], bytes: weights.subarray(0, 1000) }], new RegExp(`have 1000 bytes, expected are ${weights.length}`)],
    [changed((json) => (json.weights.file = "others.safetensors")), /names the weights others\.safetensors, which are not beside it: README\.md, manifest\.json, weights\.safetensors is found/],
    [[whole[0], card], /names the weights weights\.safetensors, which are not beside it: README\.md, manifest\.json is found/],
    [[whole[1]], /weights\.safetensors is found, expected is manifest\.json/],
    [changed((json) => (json.format = 99)), /manifest has format 99, this program knows \d/],
    [changed((json) => json.labels.pop()), /labels/],
    [changed((json) => (json.architecture.vit.embed_dim *= 2)), /expected is 768 and 3 finite numbers, by the network/],
    [changed((json) => (json.check.logits = json.check.logits.map((value) => value + 1))), /check failed on CPU/],
    [[{ name: "manifest.json", bytes: Buffer.from("{") }, whole[1]], /not a model manifest/],
  ]) {
    await visitor.chooseAll(files);
    const text = await visitor.waitForError(120_000);
    assert.match(text, said);
    assert.match(text, /Choose a whole model folder/);
    assert.deepEqual(await offered(visitor), before);
    assert.ok(await visitor.at("download-labels").isVisible(), "the result is still there");
    assert.match(await visitor.at("scan-facts").innerText(), /sample\.nii\.gz/);
    await visitor.at("dismiss").click();
    await visitor.waitForModel();
  }
  await assertSameLabels(visitor);
});

test("a scan that is dropped afterwards is a scan, and a fresh worker still has the model", async () => {
  const visitor = await withResult();
  await visitor.chooseAll(whole);
  await waitForOwn(visitor);
  await visitor.choose({ name: "again.nii.gz", bytes: readFileSync(sample) });
  await visitor.waitForScan("again.nii.gz");
  await assertSameLabels(visitor);
  await visitor.at("backend").selectOption("automatic");
  await visitor.page.getByTestId("model-state").getByText(/loaded and checked/).waitFor({ state: "detached" });
  await waitForOwn(visitor);
  await assertSameLabels(visitor);
});

test("a model of two channels takes two scans, which can change places, or the volumes of one; the labels are the command line's", async (t) => {
  const folder = scratch();
  const [data, run, recipe, exported, expected, both] = ["data", "run", "recipe.toml", "two", "native.nii", "both.nii"].map((name) => join(folder, name));
  mkdirSync(data);
  makeTwoChannels(data);
  makeRecipe(recipe, 2);
  const trained = await besides("train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, "--stage1-epochs", "1", "--stage2-epochs", "10");
  assert.equal(trained.status, 0, trained.stderr);
  const made = dinomed3d("export", run, "--data", data, "-o", exported);
  assert.equal(made.status, 0, made.stderr);
  const scans = [0, 1].map((channel) => join(data, `imagesTr/box_0_000${channel}.nii`));
  const native = dinomed3d("segment", ...scans, "-o", expected, "--model", exported);
  assert.equal(native.status, 0, native.stderr);
  const labels = readNifti(expected).voxels;
  assert.ok(labels.includes(1), "there is something to find");

  const visitor = await open(t, { query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") });
  await visitor.waitForModel();
  const { weights } = JSON.parse(readFileSync(join(exported, "manifest.json"), "utf8"));
  const file = (name) => ({ name, bytes: readFileSync(join(exported, name)) });
  await visitor.chooseAll(["manifest.json", weights.file, "README.md"].map(file));
  const [, title] = readFileSync(join(exported, "manifest.json"), "utf8").match(/"title": "([^"]+)"/);
  await waitForOwn(visitor, `${title} (yours)`);
  assert.match(await visitor.at("channels").innerText(), /takes 2 scans at once/i);

  // One after the other, as somebody does who has not read that.
  await visitor.choose({ name: "second.nii", bytes: readFileSync(scans[1]) });
  await visitor.waitForScan("second.nii");
  assert.ok(await visitor.at("segment").isDisabled(), "one is not enough");
  await visitor.choose({ name: "first.nii", bytes: readFileSync(scans[0]) });
  await visitor.waitForScan("first.nii");
  const chosen = (place) => visitor.at(`channel-${place}`).locator("option:checked").innerText();
  assert.deepEqual([await chosen(0), await chosen(1)], ["second.nii", "first.nii"]);
  await visitor.at("channel-0").selectOption({ label: "first.nii" });
  assert.deepEqual([await chosen(0), await chosen(1)], ["first.nii", "second.nii"]);
  await visitor.assertAccessible();
  await visitor.segment();
  assert.deepEqual(readNifti((await visitor.save()).bytes).voxels, labels);
  assert.match((await visitor.report()).text, /Its channels\s*T1: first\.nii; T2: second\.nii/);
  if (process.env.DINOMED3D_SCREENSHOTS) await visitor.page.screenshot({ path: join(process.env.DINOMED3D_SCREENSHOTS, "channels.png") });

  await visitor.choose({ name: "small.nii", bytes: makeNifti([EDGE, EDGE, 8], (x) => x) });
  await visitor.waitForScan("small.nii");
  await visitor.at("channel-1").selectOption({ label: "small.nii" });
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(), /has \[8, 16, 16\] voxels \(z, y, x\), expected are \[16, 16, 16\]/);
  await visitor.at("dismiss").click();

  // One file whose fourth dimension they are, as the command line takes it too.
  const volumes = scans.map((scan) => readNifti(scan).voxels);
  const place = (x, y, z) => x + EDGE * (y + EDGE * (z % EDGE));
  const four = (order) => makeNifti([EDGE, EDGE, EDGE, 2], (x, y, z) => volumes[order[Math.floor(z / EDGE)]][place(x, y, z)]);
  writeFileSync(both, four([0, 1]));
  const ofBoth = dinomed3d("segment", both, "-o", expected, "--model", exported);
  assert.equal(ofBoth.status, 0, ofBoth.stderr);
  const asOne = readNifti(expected);
  assert.deepEqual(asOne.voxels, labels);
  await visitor.choose({ name: "both.nii", bytes: readFileSync(both) });
  await visitor.waitForScan("both_vol-0");
  assert.deepEqual([await chosen(0), await chosen(1)], ["both_vol-0", "both_vol-1"]);
  await visitor.segment();
  const saved = readNifti((await visitor.save()).bytes);
  assert.deepEqual(saved.voxels, labels);
  assert.deepEqual(saved.geometry, asOne.geometry);

  // In the other order they change places.
  await visitor.choose({ name: "turned.nii", bytes: four([1, 0]) });
  await visitor.waitForScan("turned_vol-0");
  await visitor.at("channel-0").selectOption({ label: "turned_vol-1" });
  assert.deepEqual([await chosen(0), await chosen(1)], ["turned_vol-1", "turned_vol-0"]);
  await visitor.segment();
  assert.deepEqual(readNifti((await visitor.save()).bytes).voxels, labels);

  // So are the volumes of a DICOM series.
  const files = [0, 1].flatMap((volume) => {
    const value = (x, y, z) => Math.round(1000 + volumes[volume][place(x, y, z)]);
    return makeSeries({ uid: "1.2.3.9", number: 1, description: "both", shape: [EDGE, EDGE, EDGE], spacing: [1, 1, 1], value, begin: 1 + EDGE * volume });
  });
  const study = join(folder, "study");
  mkdirSync(study);
  files.forEach(({ name, bytes }) => writeFileSync(join(study, name), bytes));
  const ofStudy = dinomed3d("segment", study, "-o", expected, "--model", exported);
  assert.equal(ofStudy.status, 0, ofStudy.stderr);
  await visitor.chooseAll(files);
  await visitor.waitForScan(/both_vol-0/);
  assert.match(await chosen(1), /both_vol-1$/);
  await visitor.segment();
  assert.deepEqual(readNifti((await visitor.save()).bytes).voxels, readNifti(expected).voxels);

  // Of three volumes one is chosen, and the command line refuses them.
  const three = makeNifti([EDGE, EDGE, EDGE, 3], (x) => x);
  writeFileSync(both, three);
  const refused = dinomed3d("segment", both, "-o", expected, "--model", exported);
  assert.match(refused.stderr, /3 volumes are found, expected are 2 channels in this order: T1, T2/);
  await visitor.choose({ name: "three.nii", bytes: three });
  await visitor.at("series").waitFor();
  assert.match(await visitor.at("series").innerText(), /three\.nii/);
});
