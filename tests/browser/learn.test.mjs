// The network learns from strokes, in the worker: what was painted stays, what lies near follows, the way back is exact, and the native
// program learns the same.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { model, root } from "../places.mjs";
import { onlyModel, sharedPage } from "./page.mjs";
import { different, keepStrokes, learntNatively, paint, saved } from "./strokes.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

const thePage = sharedPage(
  {
    query: "?backend=cpu",
    view: "planes",
    prepare: async (page) => {
      await keepStrokes(page);
      await onlyModel(page, "hippocampus");
    },
  },
  (visitor) => visitor.waitForModel(),
);

test("labels follow a stroke, the stroke stays, and all goes back exactly", async () => {
  const visitor = await thePage();
  await visitor.takeSegmented("Sample hippocampus");
  await visitor.at("mend").click();
  assert.ok(await visitor.at("mend-learn").isDisabled(), "there is nothing to learn from");
  const found = await saved(visitor);

  // A part of the hippocampus is said to be none.
  await paint(visitor, "erase", 8);
  const painted = await saved(visitor);
  const stroke = different(found.voxels, painted.voxels);
  assert.ok(stroke.length > 20, `${stroke.length} voxels were painted`);

  await visitor.at("mend-learn").click();
  await visitor.at("mend-unlearn").waitFor({ timeout: 120_000 });
  const learnt = await saved(visitor);
  for (const voxel of stroke) assert.equal(learnt.voxels[voxel], painted.voxels[voxel], `voxel ${voxel} was painted`);
  const followed = different(painted.voxels, learnt.voxels);
  assert.ok(followed.length > 0, "nothing has followed");
  assert.ok(followed.length < found.voxels.length / 20, `${followed.length} voxels have changed`);
  assert.deepEqual(learnt.geometry, found.geometry);
  assert.match(learnt.description, /^DINO-Med3D hippocampus [\d.]+; learnt from 1 stroke; not a medical device$/);
  assert.match(await visitor.at("mended-note").innerText(), /last layers learnt from 1 stroke on this scan/);

  const natively = await learntNatively(visitor, sample, model);
  assert.equal(natively.strokes.length, 1);
  assert.deepEqual(natively.voxels, learnt.voxels, "the native program learns the same");
  assert.deepEqual(natively.geometry, learnt.geometry);

  await visitor.at("mend-unlearn").click();
  const back = await saved(visitor);
  assert.deepEqual(back.voxels, painted.voxels);
  assert.doesNotMatch(back.description, /learnt/);
  await visitor.at("mend-redo").click();
  assert.deepEqual((await saved(visitor)).voxels, learnt.voxels);

  // The same strokes once more give the same labels, as nothing is drawn by chance.
  await visitor.at("mend-unlearn").click();
  await visitor.at("mend-learn").click();
  await visitor.at("mend-unlearn").waitFor({ timeout: 120_000 });
  assert.deepEqual((await saved(visitor)).voxels, learnt.voxels);
  await visitor.at("mend-undo").click();
  await visitor.at("mend-undo").click();
  assert.deepEqual((await saved(visitor)).voxels, found.voxels);
  assert.deepEqual(visitor.problems, []);
});

test("undo while it learns takes the stroke back, and nothing that was learnt from it comes after", async () => {
  const visitor = await thePage();
  await visitor.takeSegmented("Sample hippocampus");
  if ((await visitor.at("mend").getAttribute("aria-pressed")) !== "true") await visitor.at("mend").click();
  const found = await saved(visitor);
  await paint(visitor, "erase", 8);
  assert.notDeepEqual((await saved(visitor)).voxels, found.voxels);
  await visitor.page.evaluate(() => {
    for (const id of ["mend-learn", "mend-undo"]) document.querySelector(`[data-testid="${id}"]`).click();
  });
  await visitor.waitForStatus("Nothing was learnt.");
  assert.deepEqual((await saved(visitor)).voxels, found.voxels);
  assert.equal(await visitor.at("mend-unlearn").count(), 0);
  await visitor.at("mend-redo").click();
  await visitor.at("mend-undo").click();
  assert.deepEqual(visitor.problems, []);
});

test("whoever stops it keeps scan, result and strokes, and can go on", async () => {
  const visitor = await thePage();
  await visitor.takeSegmented("Sample hippocampus");
  if ((await visitor.at("mend").getAttribute("aria-pressed")) !== "true") await visitor.at("mend").click();
  await paint(visitor, "erase", 6);
  const painted = await saved(visitor);
  // At once: what the last layers see is kept, and the fit alone is over soon. So the result is made anew first.
  visitor.page.once("dialog", (dialog) => dialog.accept());
  await visitor.segment();
  if ((await visitor.at("mend").getAttribute("aria-pressed")) !== "true") await visitor.at("mend").click();
  await paint(visitor, "erase", 6);
  assert.deepEqual((await saved(visitor)).voxels, painted.voxels);
  await visitor.page.evaluate(async () => {
    const at = (id) => document.querySelector(`[data-testid="${id}"]`);
    at("mend-learn").click();
    while (!at("mend-learn-stop")) await new Promise((resolve) => requestAnimationFrame(resolve));
    at("mend-learn-stop").click();
  });
  await visitor.waitForStatus("Nothing was learnt.");
  assert.equal(await visitor.errorText(), null);
  assert.equal(await visitor.at("mend-learning").count(), 0);
  assert.equal(await visitor.at("mend-unlearn").count(), 0);
  assert.match(await visitor.at("scan-facts").innerText(), /sample\.nii\.gz/);
  const after = await saved(visitor);
  assert.deepEqual(after.voxels, painted.voxels, "result and stroke are still there");
  assert.doesNotMatch(after.description, /learnt/);

  await visitor.at("mend-learn").click();
  await visitor.at("mend-unlearn").waitFor({ timeout: 120_000 });
  assert.ok(different(painted.voxels, (await saved(visitor)).voxels).length > 0, "it learns when it may");
  await visitor.at("mend-unlearn").click();
  await visitor.at("mend-undo").click();
  assert.deepEqual(visitor.problems, []);
});
