// The network learns from strokes on the sample, in the worker on the CPU: what was painted stays, what lies near follows, and the way
// back is exact.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { onlyModel, sharedPage } from "./page.mjs";

const thePage = sharedPage({ query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus") }, (visitor) => visitor.waitForModel());

/** The label map as the page saves it now, and its name. */
async function saved(visitor) {
  const { name, bytes } = await visitor.saved("download-labels");
  const file = readNifti(bytes);
  return { name, ...file, description: file.bytes.subarray(148, 228).toString("latin1").replaceAll("\0", "") };
}

const different = (a, b) => [...a.keys()].filter((i) => a[i] !== b[i]);

test("labels follow a stroke, the stroke stays, and all goes back exactly", async () => {
  const visitor = await thePage();
  await visitor.takeSegmented("Sample hippocampus");
  await visitor.at("mend").click();
  assert.ok(await visitor.at("mend-learn").isDisabled(), "there is nothing to learn from");
  const found = await saved(visitor);

  // A part of the hippocampus is said to be none.
  const canvas = visitor.page.locator("#viewer canvas");
  await canvas.focus();
  await visitor.at("mend-erase").click();
  await visitor.at("mend-size").fill("8");
  await visitor.at("mend-size").press("Enter");
  await canvas.focus();
  await visitor.page.keyboard.press(" ");
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
  assert.match(learnt.description, /learnt from 1 stroke; not a medical device/);
  assert.match(await visitor.at("mended-note").innerText(), /last layers learnt from 1 stroke on this scan/);

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
