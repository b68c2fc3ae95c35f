// The page without a mouse, without eyes, on a phone and in the dark. What a worker would compute is canned.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Visitor, open, sharedPage } from "./page.mjs";
import { endRun, headScan, stubWorker } from "./stub.mjs";

const preflight = { windows: 2, workers: 2, seconds: 40, memoryBytes: 9e8, advice: "This device has little memory: close other pages first." };

const withFew = sharedPage({ view: "planes", prepare: stubWorker({ preflight }) }, (visitor) => visitor.waitForModel());
const withMany = sharedPage({ view: "planes", prepare: stubWorker({ isHead: true, preflight }) }, (visitor) => visitor.waitForModel());

for (const [what, shared, sample] of [
  ["few", withFew, "Sample hippocampus"],
  ["many", withMany, "Sample head"],
]) {
  test(`no accessibility rule is broken with ${what} labels, light or dark`, async () => {
    const visitor = await shared();
    await visitor.assertAccessible();
    await visitor.takeSample(sample);
    await visitor.segment();
    await visitor.assertAccessible();
    await visitor.choose({ name: "bad.nii", bytes: Buffer.from("no scan") });
    await visitor.waitForError();
    await visitor.assertAccessible();
    await visitor.at("dismiss").click();
  });
}

test("a model's document opens from the page, can be read by all and on a phone; a model without one has no link", async () => {
  const visitor = await withMany();
  const [page] = await Promise.all([visitor.context.waitForEvent("page"), visitor.at("model-document").click()]);
  await page.waitForLoadState();
  assert.ok(page.url().endsWith("/docs/head.html"), page.url());
  const pictures = await page.locator("img").evaluateAll((images) => images.map((image) => image.naturalWidth));
  assert.ok(pictures.length >= 2 && pictures.every((width) => width > 0), `${pictures}`);
  const reader = new Visitor(page, visitor.context, [], []);
  await reader.assertAccessible();
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, "wide tables scroll in their own boxes");
  await page.close();

  await visitor.useModel("hippocampus");
  assert.equal(await visitor.at("model-document").count(), 0);
  await visitor.useModel("head");
});

test("everything works by keyboard, in a sensible order", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker() });
  await visitor.waitForModel();
  const { keyboard } = visitor.page;
  const focused = () => visitor.page.evaluate(() => document.activeElement?.getAttribute("data-testid") ?? document.activeElement?.tagName);
  const tabTo = async (id) => {
    for (let i = 0; i < 25; i++) {
      await keyboard.press("Tab");
      if ((await focused()) === id) return;
    }
    assert.fail(`Tab never reaches ${id}`);
  };
  await tabTo("file-input");
  await tabTo("sample");
  await keyboard.press("Enter");
  await visitor.waitForScan("sample.nii.gz");
  await tabTo("model");
  await tabTo("backend");
  await tabTo("segment");
  await keyboard.press("Enter");
  await visitor.at("download-labels").waitFor();
  await tabTo("CANVAS");
  const before = await visitor.at("location").innerText();
  for (let i = 0; i < 3; i++) await keyboard.press("ArrowRight");
  await visitor.page.waitForFunction((text) => document.querySelector('[data-testid="location"]').textContent !== text, before);
  await tabTo("download-labels");
});

test("the focus stays where it was, or near, when what had it is disabled, hidden or gone", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ isHead: true, isHeld: true }) });
  await visitor.waitForModel();
  const { page } = visitor;
  // By its address as a test knows it, or by its name.
  const focused = () =>
    page.evaluate(() => {
      const { activeElement } = document;
      const names = activeElement.getAttribute("aria-labelledby");
      return activeElement.dataset.testid ?? activeElement.ariaLabel ?? (names ? document.getElementById(names).innerText : activeElement.tagName);
    });
  const waitForFocus = async (expected, when) => {
    for (let tries = 0; tries < 40 && (await focused()) !== expected; tries++) await page.waitForTimeout(50);
    assert.equal(await focused(), expected, when);
  };
  const press = async (control) => {
    await control.focus();
    await page.keyboard.press("Enter");
  };
  await press(visitor.at("sample"));
  await visitor.waitForScan("head.nii.gz");
  await waitForFocus("sample", "the sample is open");
  await press(visitor.at("segment"));
  await visitor.at("progress").waitFor();
  await waitForFocus("Segmentation", "it is being segmented");
  await endRun(visitor, "end");
  await visitor.at("download-labels").waitFor();
  await waitForFocus("segment", "it is segmented");
  await press(visitor.at("segment"));
  await visitor.at("progress").waitFor();
  await visitor.at("planes").focus();
  await endRun(visitor, "fail");
  await visitor.waitForError();
  await waitForFocus("planes", "whoever has gone elsewhere stays there");
  await press(visitor.at("dismiss"));
  await waitForFocus("Segmentation", "the message is put away");
  await page.locator(".catalogue summary").click();
  await press(page.locator(".catalogue button:enabled"));
  await waitForFocus("Model", "another model is in use");

  await visitor.chooseAll(["a.nii", "b.nii"].map((name) => ({ name, bytes: headScan })));
  await visitor.at("scans").waitFor();
  await visitor.waitForModel();
  await press(page.getByRole("button", { name: "Remove b.nii" }));
  await waitForFocus("scans", "a row is gone");
  await page.mouse.click(2, 2);
  await page.waitForTimeout(100);
  await page.getByRole("button", { name: "Remove a.nii" }).evaluate((button) => button.remove());
  await waitForFocus("BODY", "whoever has pressed on the ground wants it nowhere");
});

test("many labels are one stop of the Tab key, and arrow keys lead among them", async () => {
  const visitor = await withMany();
  await visitor.takeSegmented("Sample head");
  const { keyboard } = visitor.page;
  const focused = () =>
    visitor.page.evaluate(() => {
      const { activeElement } = document;
      const isInLegend = activeElement.closest('[data-testid="legend"]') !== null;
      return isInLegend ? (activeElement.ariaLabel ?? activeElement.closest("label").innerText.trim()) : "elsewhere";
    });
  const press = async (...keys) => {
    for (const key of keys) await keyboard.press(key);
    return focused();
  };
  await visitor.at("legend-search").focus();
  assert.equal(await press("Tab"), "All");
  assert.equal(await press("ArrowDown"), "White matter and cortex");
  assert.equal(await press("ArrowDown", "ArrowRight"), "left cerebral white matter");
  assert.equal(await press("ArrowRight", "ArrowRight"), "right cerebral white matter", "it ends there");
  assert.equal(await press("ArrowDown"), "right cerebral cortex");
  await press("Space");
  assert.equal(await visitor.at("legend").getByRole("checkbox", { name: "right cerebral cortex" }).isChecked(), false);
  assert.equal(await press("Tab"), "elsewhere");
  assert.equal(await press("Shift+Tab"), "right cerebral cortex", "back where it was");
  assert.equal(await press("End"), "Brain-stem");
  assert.equal(await press("Home", "ArrowUp"), "All");
  await visitor.at("legend-search").fill("left");
  assert.equal(await press("Tab"), "All", "also when the row it was in is gone");
  await visitor.at("legend-search").fill("");
});

test("many labels scroll beside or below the scan, which keeps its height", async () => {
  const visitor = await withMany();
  await visitor.takeSegmented("Sample head");
  for (const [width, height, least] of [
    [1280, 720, 480],
    [1024, 768, 350],
    [360, 740, 320],
  ]) {
    await visitor.page.setViewportSize({ width, height });
    const canvas = await visitor.page.locator("#viewer canvas").boundingBox();
    assert.ok(canvas.height >= least, `the canvas is ${canvas.height} high in ${width} × ${height}`);
    const viewer = await visitor.at("viewer").boundingBox();
    const legend = await visitor.at("legend").boundingBox();
    const { scroll, client } = await visitor.at("legend").evaluate((element) => ({ scroll: element.scrollHeight, client: element.clientHeight }));
    assert.ok(scroll > client && client >= 170, `rows of ${scroll} in ${client}`);
    assert.ok(legend.y >= viewer.y && legend.y + legend.height <= viewer.y + viewer.height + 1);
    assert.ok(width < 1000 || viewer.height <= height, `the viewer is ${viewer.height} high`);
    const page = await visitor.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(page <= width, `the page is ${page} wide in ${width}`);
  }
});

test("nothing is cut off on a phone, a tablet or a wide screen", async () => {
  const visitor = await withFew();
  await visitor.takeSegmented("Sample hippocampus");
  for (const [width, height] of [
    [360, 740],
    [820, 1180],
    [2560, 1300],
  ]) {
    await visitor.page.setViewportSize({ width, height });
    const { scroll, client } = await visitor.page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      client: document.documentElement.clientWidth,
    }));
    assert.ok(scroll <= client, `the page is ${scroll} wide in a window of ${client}`);
    for (const id of ["segment", "viewer", "statistics", "download-labels"]) {
      const box = await visitor.at(id).boundingBox();
      assert.ok(box.width > 0 && box.x >= 0 && box.x + box.width <= width, `${id} at ${JSON.stringify(box)}`);
    }
    assert.ok(await visitor.canvasShowsSomething(), `in a window of ${width}`);
  }
});

test("a worker that does not stop in time is ended, and a fresh one goes on with the scan", async (t) => {
  const visitor = await open(t, {
    view: "planes",
    prepare: async (page) => {
      await page.clock.install();
      await stubWorker({ isStubborn: true })(page);
    },
  });
  await visitor.waitForModel();
  await visitor.takeSample();
  await visitor.at("segment").click();
  await visitor.at("cancel").click();
  await visitor.waitForStatus("Stopping");
  await visitor.page.clock.fastForward(11_000);
  await visitor.waitForModel();
  assert.equal(await visitor.at("download-labels").count(), 0);
  assert.ok(await visitor.canvasShowsSomething(), "the scan is still on screen");
  await visitor.segment();
});
