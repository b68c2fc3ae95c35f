// Where the network is unsure: over the scan, and as files that are those of the command line.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";
import { onlyModel, open } from "./page.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

test("a result shows where it is unsure, and its probabilities are those of the command line", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") });
  await visitor.waitForModel();
  await visitor.takeSample("Sample hippocampus");
  await visitor.segment();
  const names = () => visitor.at("legend").innerText();
  assert.match(await names(), /Anterior/);
  const button = visitor.at("certainty");
  await button.click();
  await visitor.page.waitForFunction(() => document.querySelector('[data-testid="legend"]').innerText.includes("50 to 70 %"));
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  assert.ok(!/Anterior/.test(await names()), "what lies over the scan is certainty alone");
  assert.ok(await visitor.canvasShowsSomething());
  await button.click();
  await visitor.page.waitForFunction(() => document.querySelector('[data-testid="legend"]').innerText.includes("Anterior"));

  const out = scratch();
  const paths = ["x_certainty.nii.gz", "x_probseg.nii.gz", "x_dseg.nii.gz"].map((name) => join(out, name));
  const said = dinomed3d("segment", sample, "--model", model, ...paths.flatMap((path) => ["-o", path]));
  assert.equal(said.status, 0, said.stderr);
  for (const [id, name, path] of [["download-certainty", "sample_certainty.nii.gz", paths[0]], ["download-probabilities", "sample_probseg.nii.gz", paths[1]]]) {
    const [download] = await Promise.all([visitor.page.waitForEvent("download"), visitor.at(id).click()]);
    assert.equal(download.suggestedFilename(), name);
    const [found, expected] = [readNifti(readFileSync(await download.path())), readNifti(path)];
    assert.deepEqual(found.geometry, expected.geometry, name);
    assert.deepEqual(found.shape, expected.shape, name);
    const apart = found.voxels.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.voxels[i])), 0);
    assert.ok(apart <= 1, `${name}: up to ${apart} of 255 apart`);
  }

  // A report has the share of labelled voxels in each class of certainty.
  const certainty = readNifti((await visitor.saved("download-certainty")).bytes).voxels;
  const found = readNifti((await visitor.saved("download-labels")).bytes).voxels;
  const sure = certainty.filter((_, i) => found[i] !== 0).map((steps) => steps / 2.55);
  const between = (low, high) => (100 * sure.filter((percent) => percent >= low && percent < high).length) / sure.length;
  const { tables, text } = await visitor.report();
  const expected = [[0, 50], [50, 70], [70, 85], [85, 95], [95, 101]].map(([low, high]) => between(low, high).toFixed(1));
  assert.deepEqual(tables.certainty.map(([, share]) => share), expected);
  assert.ok(Number(expected[4]) > 30 && Number(expected[4]) < 100, `${expected}`);
  assert.match(text, /validation cases it is \d\.\d % from the share of right answers/);

  // How sure the volumes are, in the page and on the command line.
  const ranges = visitor.at("volume-ranges");
  await ranges.locator("summary").click();
  const shown = (await ranges.locator("td").allInnerTexts()).map((text) => text.split(" to ").map(Number));
  const lines = said.stdout.split("\n");
  const first = lines.findIndex((line) => line.startsWith("label  at least")) + 1;
  const told = lines.slice(first, first + shown.length).map((line) => line.trim().split(/ +/).slice(1).map(Number));
  assert.equal(shown.length, 2);
  assert.deepEqual(shown, told.map((range) => range.map((ml) => Number(ml.toFixed(2)))));
  const volumes = (await visitor.statistics()).map(({ milliliters }) => milliliters);
  volumes.forEach((ml, label) => assert.ok(told[label][0] < ml && ml < told[label][1], `${ml} within ${told[label]}`));

  // With a comparison there are two controls of what lies over the scan, which say the same.
  await visitor.at("reference-input").setInputFiles(paths[2]);
  const overlay = visitor.at("overlay");
  await overlay.waitFor();
  await button.click();
  assert.equal(await overlay.inputValue(), "Certainty");
  await overlay.selectOption("Result");
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  await overlay.selectOption("Certainty");
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  await visitor.page.waitForFunction(() => document.querySelector('[data-testid="legend"]').innerText.includes("50 to 70 %"));
});
