// Inside the network: the tour on the scan on screen, and its maps against those of the command line.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";
import { numberOf, onlyModel, open } from "./page.mjs";
import { stubWorker } from "./stub.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

/** All numbers of a map; of colours red, green and blue. */
const values = ({ bytes, view, voxels }) => (view.getInt16(70, true) === 128 ? [...bytes.subarray(352)] : voxels);

/** Waits until nothing is under way and the answer is that of the station. */
async function answered(visitor, station) {
  await visitor.page.waitForFunction(
    (station) => {
      const answer = document.querySelector('[data-testid="inside-answer"]');
      const button = document.querySelector(`[data-testid="station-${station}"]`);
      return answer?.dataset.busy === "false" && answer.dataset.station === station && button?.getAttribute("aria-pressed") === "true";
    },
    station,
    { timeout: 120_000 },
  );
}

/** Has `window.heard` collect what a screen reader is told of percents. */
function hearPercents(visitor) {
  return visitor.page.evaluate(() => {
    window.heard = [];
    const listen = (changes) => {
      for (const { target } of changes) {
        const place = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
        const region = place?.closest("[aria-live], [role=status], [role=alert], [aria-hidden=true]");
        const isLive = region && region.ariaLive !== "off" && region.ariaHidden !== "true";
        if (isLive && place.textContent.includes("%")) window.heard.push(place.textContent);
      }
    };
    new MutationObserver(listen).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

/** The numbers of the table of Dice, row by row. */
const tableOf = (visitor) =>
  visitor.at("inside-dice").evaluate((table) => [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent))));

test("every station of the tour shows what the command line writes", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu#inside/slices?x=-24&y=-16&z=-12", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") });
  await visitor.waitForModel();
  // A class opens a station by its address, and is told what is missing yet.
  assert.match(await visitor.at("inside-panel").innerText(), /take a sample/);
  await visitor.takeSample("Sample hippocampus");
  await visitor.segment();
  await answered(visitor, "slices");
  const captions = () => visitor.at("inside-answer").locator("figcaption").allInnerTexts();
  assert.deepEqual(await captions(), ["1 slice before", "this slice", "1 slice after", "together: before red, this green, after blue"]);
  assert.match(await visitor.at("inside-answer").innerText(), /128 numbers a token, 8 × 8 voxels a patch/);

  const atMm = (await visitor.at("location").innerText()).match(/x (\S+), y (\S+), z (\S+) mm/).slice(1).map(numberOf);
  atMm.forEach((mm, axis) => assert.ok(Math.abs(mm - [-24, -16, -12][axis]) <= 1, `the crosshair is where the address says: ${atMm}`));
  const place = (await visitor.at("location").innerText()).match(/x (\S+), y (\S+), z (\S+) mm/).slice(1).map(numberOf);
  const out = scratch();
  const said = dinomed3d("inspect", sample, "--model", model, "--at", place.join(","), "--out", out);
  assert.equal(said.status, 0, said.stderr);
  const numbers = JSON.parse(readFileSync(join(out, "inside.json")));

  const same = async (name, tolerance) => {
    const found = readNifti((await visitor.saved("download-inside")).bytes);
    const expected = readNifti(join(out, `${name}.nii.gz`));
    assert.deepEqual(found.shape, expected.shape, name);
    assert.deepEqual(found.geometry, expected.geometry, name);
    const [ours, theirs] = [found, expected].map(values);
    const apart = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0);
    assert.ok(apart <= tolerance, `${name}: up to ${apart} apart`);
  };
  const go = async (station) => {
    await visitor.at(`station-${station}`).click();
    await answered(visitor, station);
  };

  await go("tokens");
  await same("colours_block-8", 1);
  assert.ok(await visitor.canvasShowsSomething());
  await visitor.at("block").fill("0");
  await answered(visitor, "tokens");
  await visitor.page.waitForFunction(() => location.hash.includes("block=0"));
  await same("colours_block-0", 1);

  await go("similarity");
  await visitor.at("block").fill("8");
  await answered(visitor, "similarity");
  await same("similarity_block-8", 1e-3);

  await go("attention");
  const heads = await captions();
  assert.equal(heads.length, 4, "a picture of each head");
  heads.forEach((caption, i) => assert.match(caption, new RegExp(`^Head ${i + 1}: (at patches alone|[1-9]\\d* % at tokens for the whole)$`)));
  await same("rollout_block-8", 1e-4);
  await visitor.at("head").selectOption("2");
  await answered(visitor, "attention");
  await same("attention_block-8_head-2", 1e-4);

  await go("adapters");
  await same("adapters_block-8", 1e-3);

  await go("reach");
  const heard = (values) => values.filter((value) => value > 1e-3).length;
  const { whole, "without-adapters": without } = numbers.changeWhenSliceIsBlanked;
  assert.ok(heard(whole) > heard(without), "adapters carry further than a slice");
  assert.equal(heard(without), 3, "a slice is seen by itself and by its neighbours");
  assert.match(await visitor.at("curves").innerText(), new RegExp(`whole network: ${heard(whole)} of 40 slices.*without adapters: 3 of 40`, "s"));

  await go("detail");
  await same("detail_level-1", 1e-3);
  await visitor.at("detail-level").selectOption({ label: "The gate" });
  await answered(visitor, "detail");
  await same("gate", 1e-3);

  await go("parts");
  await same("without-adapters_labels", 0);
  const shown = (await visitor.at("inside-dice").locator("tbody td").allInnerTexts()).map(Number);
  assert.deepEqual(shown, Object.values(numbers.diceWithout.adapters).map((dice) => Number(dice.toFixed(3))));
  await visitor.assertAccessible();

  await go("proxy");
  await same("proxy_labels", 0);
  assert.match(await visitor.page.evaluate(() => location.hash), /^#inside\/proxy\?x=/);
  assert.deepEqual(await captions(), ["stage 1", "stage 2"], "the slice with the labels of both");
  assert.deepEqual(await tableOf(visitor), Object.values(numbers.diceStage1).map((dice) => [Number(dice.toFixed(3))]));
  const { proxy } = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  await visitor.page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await visitor.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nine stations fit a phone");
  await visitor.page.setViewportSize({ width: 1280, height: 720 });
  assert.match(await visitor.at("inside-answer").innerText(), new RegExp(`fitted anew.*Mean Dice ${proxy.meanDice.toFixed(2)} on ${proxy.numCases} held-out cases`));
  await visitor.assertAccessible();

  await visitor.at("leave-inside").click();
  await visitor.at("statistics").waitFor();
  assert.equal(await visitor.page.evaluate(() => location.hash), "");
  assert.deepEqual(visitor.problems, []);

  // A reference that is loaded stands beside both; here it is the result itself.
  await visitor.at("reference-input").setInputFiles({ name: "reference_dseg.nii.gz", mimeType: "application/gzip", buffer: (await visitor.save()).bytes });
  await visitor.at("scores").waitFor();
  await visitor.at("inside").click();
  await go("proxy");
  const rows = await tableOf(visitor);
  assert.deepEqual(rows.map(([, , result]) => result), [1, 1], "the result against itself");
  // The result is that of the network but for what postprocessing mends.
  rows.forEach(([against, ofStage1]) => assert.ok(ofStage1 < 1 && Math.abs(ofStage1 - against) < 0.1, `stage 1 against the reference: ${ofStage1}, against the network: ${against}`));
});

test("the browser's Back leaves the tour and not the site, which asks before an unsaved result is lost", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker() });
  const { page } = visitor;
  await visitor.takeSegmented("Sample hippocampus");
  const hash = () => page.evaluate(() => location.hash);
  const isInside = async (inside) => {
    await visitor.at("inside-panel").waitFor({ state: inside ? "visible" : "hidden" });
    assert.equal(await visitor.at("statistics").isVisible(), !inside, "the result is where the tour is not");
    assert.match(await hash(), inside ? /^#inside\/tokens/ : /^$/);
  };
  const length = await page.evaluate(() => history.length);
  await visitor.at("inside").click();
  await visitor.at("station-tokens").click();
  await isInside(true);
  assert.equal(await page.evaluate(() => history.length), length + 1, "the tour is one step of the browser's");
  await page.goBack();
  await isInside(false);
  await page.goForward();
  await isInside(true);
  await visitor.at("leave-inside").click();
  await isInside(false);
  await visitor.at("inside").click();
  await visitor.at("station-tokens").click();
  await visitor.page.getByRole("link", { name: "Skip to the viewer" }).press("Enter");
  await isInside(true);
  await page.goBack();
  await isInside(false);

  // By keyboard one is where the tour is, and then where one was.
  const isFocused = (id) => page.waitForFunction((id) => document.activeElement.dataset.testid === id, id);
  await visitor.at("inside").press("Enter");
  await isFocused("inside-panel");
  await visitor.at("leave-inside").press("Enter");
  await isFocused("inside");

  const leave = async (event) => (await Promise.all([page.waitForEvent(event), page.close({ runBeforeUnload: true })]))[0];
  const question = await leave("dialog");
  assert.equal(question.type(), "beforeunload");
  await question.dismiss();
  await visitor.save();
  // Saved, it goes without a question.
  await leave("close");
  assert.deepEqual(visitor.problems, []);
});

test("a model without a head for stage 1 says so", async (t) => {
  const visitor = await open(t, {
    query: "?backend=cpu#inside/proxy",
    view: "planes",
    prepare: async (page) => {
      await onlyModel(page, "hippocampus");
      const manifest = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
      delete manifest.proxy;
      await page.context().route("**/models/hippocampus/manifest.json", (route) => route.fulfill({ json: manifest }));
    },
  });
  await visitor.waitForModel();
  await visitor.takeSample("Sample hippocampus");
  await hearPercents(visitor);
  await visitor.segment();
  await answered(visitor, "proxy");
  assert.deepEqual(await visitor.page.evaluate(() => window.heard), [], "no percent is spoken while it looks");
  assert.match(await visitor.at("inside-answer").innerText(), /holds no head for stage 1/);
  assert.equal(await visitor.at("download-inside").count(), 0);
  assert.deepEqual(visitor.problems, []);
});

test("the command line says what is wrong with a place", () => {
  const said = dinomed3d("inspect", sample, "--model", model, "--at", "500,0,0", "--out", scratch());
  assert.equal(said.status, 2);
  assert.match(said.stderr, /did not look at \[500\.0, 0\.0, 0\.0\] mm; its window reaches from/);
  const two = dinomed3d("inspect", sample, "--model", model, "--at", "1,2", "--out", scratch());
  assert.equal(two.status, 2);
  assert.match(two.stderr, /--at has 2 numbers, expected are three/);
});
