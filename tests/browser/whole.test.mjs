// A whole head with the shipped models, on the CPU: what the worker computes, and what the command line does.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { agreement, dice, readNifti } from "../nifti.mjs";
import { besides, root, scratch } from "../places.mjs";
import { open } from "./page.mjs";

const sample = join(root, "public/samples/head.nii.gz");

/** What the command line makes of the sample head. */
async function native(...words) {
  const file = join(scratch(), "native.nii.gz");
  const said = await besides("segment", sample, "-o", file, ...words);
  assert.equal(said.status, 0, said.stderr);
  return readNifti(file);
}

test("a head and its hippocampi are what the command line makes of them", async (t) => {
  // A look by one window keeps one processor busy: the command line has the other.
  const natives = (async () => [await native(), await native("--closer", "hippocampus")])();
  natives.catch(() => {});
  const visitor = await open(t, { query: "?backend=cpu", view: "planes" });
  await visitor.waitForModel();
  assert.equal(await visitor.at("model").inputValue(), "head", "the model of heads is the default");
  await visitor.takeSample("Sample head");
  const told = visitor.page.getByText(/2 windows/);
  await told.waitFor();
  t.diagnostic(`before: ${await told.innerText()}`);

  const [begun, before] = [Date.now(), visitor.requests.length];
  const progress = await visitor.segment();
  t.diagnostic(`it took ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  const addresses = visitor.requests.slice(before).map((request) => request.url());
  assert.deepEqual(addresses.filter((address) => !/^(blob|data):/.test(address)), [], "nothing is sent");
  assert.ok(progress.every((value, i) => i === 0 || value >= progress[i - 1]), `progress never falls: ${progress}`);
  const { bytes } = await visitor.save();
  const [command, both] = await natives;
  const [page, reference] = [readNifti(bytes), readNifti(join(root, "public/samples/head_dseg.nii.gz"))];
  assert.deepEqual(page.geometry, readNifti(sample).geometry);
  assert.match(page.description, /^DINO-Med3D head [\d.]+; not a medical device$/);
  assert.equal(page.description, command.description);
  const equal = agreement(page.voxels, command.voxels);
  t.diagnostic(`${(100 * equal).toFixed(3)} % of voxels equal the command line's`);
  assert.ok(equal >= 0.999, `${equal}`);
  const thalamus = page.voxels.map((voxel) => (voxel === 49 ? 10 : voxel));
  assert.ok(dice(thalamus, reference.voxels, 10) > 0.7);

  await visitor.at("closer").click();
  await visitor.at("statistics").getByText("Posterior hippocampus").first().waitFor({ timeout: 300_000 });
  const closer = await visitor.save();
  const looked = readNifti(closer.bytes);
  assert.match(looked.description, /^DINO-Med3D head [\d.]+, hippocampus [\d.]+; not a medical device$/);
  assert.equal(looked.description, both.description);
  const agree = agreement(looked.voxels, both.voxels);
  t.diagnostic(`${(100 * agree).toFixed(3)} % after the closer look`);
  assert.ok(agree >= 0.999, `${agree}`);
  assert.deepEqual(visitor.problems, []);
});
