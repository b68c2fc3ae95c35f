// What the page shows of a model of many labels: legend, volumes, samples, what a run has so far, a closer look. What a worker
// would compute is canned.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, sharedPage } from "./page.mjs";
import { endRun, stubWorker } from "./stub.mjs";

const advice = "This device has little memory: close other pages first.";
const preflight = { windows: 2, workers: 2, seconds: 40, memoryBytes: 9e8, advice };

/** A page with the sample head on screen, for all tests that ask for it. */
const sharedHead = (options) =>
  sharedPage({ view: "planes", prepare: stubWorker({ isHead: true, ...options }) }, (visitor) => visitor.takeSample("Sample head"));
const withHead = sharedHead({ preflight });
/** Its runs end when a test says how. */
const withHeldRuns = sharedHead({ isHeld: true });

const rows = (visitor) => visitor.at("legend").getByRole("row");
const box = (visitor, name) => visitor.at("legend").getByRole("checkbox", { name, exact: true });

/** Waits until the share of the canvas that is of a colour is as it should be. */
const waitForColor = (visitor, isMeant, what) => visitor.waitForShares(({ colored }) => isMeant(colored), what);
const isMuch = (share) => share > 0.06;
const isLittle = (share) => share < 0.02;

test("labels are in groups, found by words, and hidden one, a side, a group or all at once", async () => {
  const visitor = await withHead();
  assert.equal(await visitor.at("closer").count(), 0, "nothing to look at closer yet");
  const headings = visitor.at("legend").locator(".is-heading");
  assert.deepEqual(await headings.allInnerTexts(), [
    "All",
    "White matter and cortex",
    "Deep grey matter",
    "Ventricles and fluid",
    "Cerebellum and brain-stem",
  ]);
  assert.equal(await rows(visitor).count(), 5 + 18);
  await visitor.segment();
  await waitForColor(visitor, isMuch, "all labels");

  await box(visitor, "All").uncheck();
  await waitForColor(visitor, isLittle, "no label");
  await box(visitor, "Deep grey matter").check();
  assert.ok(await box(visitor, "right thalamus").isChecked());
  const isMixed = (name) => box(visitor, name).evaluate((element) => element.indeterminate);
  assert.ok((await isMixed("All")) && !(await isMixed("Deep grey matter")));
  await box(visitor, "left thalamus").uncheck();
  assert.ok((await isMixed("Thalamus")) && (await isMixed("Deep grey matter")));
  await box(visitor, "Thalamus").click();
  assert.ok(await box(visitor, "left thalamus").isChecked(), "a mixed box shows all");
  await waitForColor(visitor, (share) => !isLittle(share), "the deep grey matter");

  const search = visitor.at("legend-search");
  await search.fill("17");
  assert.deepEqual((await rows(visitor).allInnerTexts()).map((text) => text.trim()), ["All", "Deep grey matter", "Left hippocampus"]);
  await search.fill("left");
  assert.equal(await rows(visitor).count(), 5 + 14);
  await box(visitor, "All").check();
  await search.fill("");
  assert.ok(await box(visitor, "left cerebral cortex").isChecked(), "what was found is shown");
  assert.ok(!(await box(visitor, "right cerebral cortex").isChecked()), "and nothing else");
  await search.fill("kidney");
  assert.equal(await rows(visitor).count(), 0);
  assert.match(await visitor.at("legend").innerText(), /No structure of that name/);

  await search.fill("");
  await visitor.segment();
  assert.ok(!(await box(visitor, "right cerebral cortex").isChecked()), "the same labels stay hidden");
  assert.deepEqual(visitor.problems, []);
});

test("volumes stand left, right and together in groups", async () => {
  const visitor = await withHead();
  await visitor.takeSegmented("Sample head");
  const table = visitor.at("statistics");
  assert.deepEqual((await table.locator("thead th").allInnerTexts()).slice(1), ["Left", "Right", "Both", "L−R, %"]);
  assert.match(await table.locator("caption").innerText(), /mL/);
  const lines = (await table.locator("tbody tr").allInnerTexts()).map((row) => row.split("\t").map((cell) => cell.trim()));
  assert.equal(lines.length, 4 + 18);
  const line = (name) => lines.find(([first]) => first === name);
  assert.deepEqual(line("Hippocampus"), ["Hippocampus", "21.0", "65.4", "86.4", "\u2212103"]);
  assert.deepEqual(line("Brain-stem"), ["Brain-stem", "", "", "19.7", ""]);
});

test("a sample comes with its model, and the one that fits the chosen model has the first word", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ isHead: true }) });
  await visitor.waitForModel();
  assert.match(await visitor.at("model-facts").innerText(), /For MR of a head: T1, T2, FLAIR or PD/);
  assert.match(await visitor.at("model-facts").getByRole("link", { name: "About" }).getAttribute("href"), /models\/head\/README\.md$/);
  assert.equal(await visitor.at("sample").innerText(), "Sample head");
  await visitor.at("other-sample").click();
  await visitor.waitForScan("sample.nii.gz");
  await visitor.waitForModel();
  assert.equal(await visitor.at("model").inputValue(), "hippocampus");
  assert.equal(await visitor.at("sample").innerText(), "Sample hippocampus");
  assert.equal(await visitor.at("legend").locator("li").count(), 2, "few labels are a plain list");
  await visitor.at("other-sample").click();
  await visitor.waitForScan("head.nii.gz");
  await visitor.waitForModel();
  assert.equal(await visitor.at("model").inputValue(), "head");
});

test("what a scan will take is said beside the button, and what to do about a device that is too small", async () => {
  const visitor = await withHead();
  const said = visitor.at("preflight");
  await said.getByText("Takes about 40 s and 0.9 GB on this device; 2 windows by 2 workers.").waitFor();
  assert.match(await said.innerText(), new RegExp(advice));
  const described = await visitor.at("segment").getAttribute("aria-describedby");
  assert.ok(described.split(" ").includes(await said.getAttribute("id")));
});

// First of those with held runs: the page has no result yet.
test("labels of a run that came to nothing are taken away where there was no result", async () => {
  const visitor = await withHeldRuns();
  await visitor.at("segment").click();
  await waitForColor(visitor, isMuch, "labels so far");
  assert.equal(await visitor.at("download-labels").count(), 0, "nothing to save yet");
  await visitor.at("cancel").click();
  await visitor.waitForStatus("Stopped");
  await waitForColor(visitor, isLittle, "no label");
});

for (const [how, end, said] of [
  ["cancelled", (visitor) => visitor.at("cancel").click(), "Stopped"],
  ["failed", (visitor) => endRun(visitor, "fail"), "Segmentation failed"],
]) {
  test(`labels of a run appear as they are done; once it is ${how}, the result before it is back`, async () => {
    const visitor = await withHeldRuns();
    const results = visitor.page.locator(".results");
    await visitor.at("segment").click();
    await waitForColor(visitor, isMuch, "labels so far");
    assert.ok(await results.isHidden());
    await endRun(visitor, "end");
    await visitor.waitForStatus("Segmented in");
    assert.ok(await results.isVisible());
    await waitForColor(visitor, isMuch, "the result");

    await visitor.at("segment").click();
    await results.waitFor({ state: "hidden" });
    await end(visitor);
    await visitor.waitForStatus(said);
    assert.ok(await results.isVisible());
    await waitForColor(visitor, isMuch, "the result before");
    await visitor.save();
  });
}

test("after a whole head the hippocampi can be looked at closer, once, and the result from before is a button away", async () => {
  const visitor = await withHead();
  await visitor.takeSegmented("Sample head");
  assert.equal(await visitor.at("closer").innerText(), "Look closer at the hippocampi");
  assert.ok((await rows(visitor).allInnerTexts()).some((text) => text.trim().startsWith("Hippocampus")));
  await visitor.at("closer").click();
  await rows(visitor).filter({ hasText: "Anterior hippocampus" }).waitFor();
  assert.match(await visitor.at("statistics").innerText(), /Hippocampus, the rest.*Posterior hippocampus/s);
  assert.equal(await visitor.at("closer").count(), 0);
  assert.ok(await visitor.at("certainty").isDisabled());
  assert.match(await visitor.at("not-known").innerText(), /^Certainty.* two have made this one/);
  await visitor.at("look-back").click();
  await visitor.waitForStatus("from before the closer look");
  assert.doesNotMatch(await visitor.at("statistics").innerText(), /Posterior hippocampus/);
  assert.ok(await visitor.at("certainty").isEnabled());
  for (const id of ["not-known", "look-back"]) assert.equal(await visitor.at(id).isVisible(), false, id);
  assert.equal(await visitor.at("closer").count(), 1, "it can be looked at again");
  assert.equal(await visitor.errorText(), null);
});

test("what a closer look found on one side alone has no other size and no asymmetry", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ isHead: true, sides: ["right"] }) });
  await visitor.takeSegmented("Sample head");
  // Below the volumes, where the panel is scrolled to its end.
  await visitor.at("closer").click();
  await rows(visitor).filter({ hasText: "anterior hippocampus" }).waitFor();
  const table = await visitor.at("statistics").locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  const of = (name) => table.find(([found]) => found === name)?.slice(1);
  assert.deepEqual(of("Right anterior hippocampus"), ["–", "124.6", "–", ""]);
  assert.deepEqual([of("Left hippocampus"), of("Right hippocampus, the rest")], [["21.0", "–", "–", ""], ["–", "65.4", "–", ""]]);
  const { tables } = await visitor.report();
  assert.deepEqual(tables.volumes, table, "the report says the same");
  // What a reader should know is above the volumes.
  const warned = await visitor.page.locator(".results").getByTestId("warnings").boundingBox();
  const volumes = await visitor.at("statistics").boundingBox();
  const panel = await visitor.page.locator(".results").boundingBox();
  assert.ok(panel.y <= warned.y && warned.y + warned.height <= Math.min(volumes.y, panel.y + panel.height), "and is seen");
});
