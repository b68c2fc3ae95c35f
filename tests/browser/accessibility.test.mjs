// The page without a mouse, without eyes, on a phone and in the dark.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openBrowser, openPage } from "./page.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(visitor) {
  await visitor.page.evaluate(axe);
  const { violations } = await visitor.page.evaluate(() => window.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`no accessibility rule is broken, ${colorScheme}`, async (t) => {
    const visitor = await openPage(await openBrowser(t), { query: "?backend=cpu", colorScheme });
    await visitor.waitForModel();
    assert.deepEqual(await violations(visitor), []);
    await visitor.at("sample").click();
    await visitor.waitForScan("sample.nii.gz");
    await visitor.segment();
    assert.deepEqual(await violations(visitor), []);
    await visitor.choose({ name: "bad.nii", bytes: Buffer.from("no scan") });
    await visitor.waitForError();
    assert.deepEqual(await violations(visitor), []);
  });
}

test("everything works by keyboard, in a sensible order", async (t) => {
  const visitor = await openPage(await openBrowser(t), { query: "?backend=cpu" });
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
  await visitor.at("download-labels").waitFor({ timeout: 120_000 });
  await tabTo("CANVAS");
  const before = await visitor.at("location").innerText();
  for (let i = 0; i < 3; i++) await keyboard.press("ArrowRight");
  await visitor.page.waitForFunction((text) => document.querySelector('[data-testid="location"]').textContent !== text, before);
  await tabTo("download-labels");
});

for (const [what, width, height] of [
  ["phone", 360, 740],
  ["tablet", 820, 1180],
  ["wide screen", 2560, 1300],
]) {
  test(`nothing is cut off on a ${what}`, async (t) => {
    const visitor = await openPage(await openBrowser(t), { query: "?backend=cpu", viewport: { width, height } });
    await visitor.waitForModel();
    await visitor.at("sample").click();
    await visitor.waitForScan("sample.nii.gz");
    await visitor.segment();
    const { scroll, client } = await visitor.page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      client: document.documentElement.clientWidth,
    }));
    assert.ok(scroll <= client, `the page is ${scroll} wide in a window of ${client}`);
    for (const id of ["segment", "viewer", "statistics", "download-labels"]) {
      const box = await visitor.at(id).boundingBox();
      assert.ok(box.width > 0 && box.x >= 0 && box.x + box.width <= width, `${id} at ${JSON.stringify(box)}`);
    }
    assert.ok(await visitor.canvasShowsSomething());
  });
}
