// Real scans and the sample with the shipped model, on the CPU. WebGPU: see worker.test.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { agreement, dice, makeNifti, readNifti } from "../nifti.mjs";
import { data, dinomed3d, hippocampus, model, root, scratch, validationCases, without } from "../places.mjs";
import { onlyModel, sharedPage } from "./page.mjs";

const skip = without("hippocampus/imagesTr");
const LABELS = [1, 2];
/** Below every case of the validation set; a shifted or mirrored label map scores under 0.5. */
const LOWEST_DICE = 0.7;

const withModel = sharedPage({ query: "?backend=cpu", view: "planes", prepare: (page) => onlyModel(page, "hippocampus", "hippocampus/four-bits") }, (visitor) => visitor.waitForModel());

test("a real case equals the command line", { skip }, async (t) => {
  const [name] = validationCases();
  const { image, label } = hippocampus(name);
  const visitor = await withModel();
  assert.match(await visitor.at("backend-reason").innerText(), /^Runs on CPU\. You chose it/);

  const { block, network } = await visitor.checkErrors();
  t.diagnostic(`against native CPU: ${block} after one transformer block, ${network} of the whole network`);
  assert.ok(block <= 1e-3 && network <= 1e-3);

  await visitor.drop(image);
  await visitor.waitForScan(name);
  const progress = await visitor.segment();
  assert.ok(progress.length >= 3, `progress was shown as ${progress}`);
  assert.ok(progress.every((value, i) => i === 0 || value >= progress[i - 1]), `progress never falls: ${progress}`);

  const { name: savedAs, bytes } = await visitor.save();
  assert.equal(savedAs, name.replace(".nii.gz", "_dseg.nii.gz"));
  const file = join(scratch(), "native.nii.gz");
  const native = dinomed3d("segment", image, "-o", file, "--model", model);
  assert.equal(native.status, 0, native.stderr);

  const [scan, page, command, reference] = [image, bytes, file, label].map(readNifti);
  assert.deepEqual(page.geometry, scan.geometry);
  assert.deepEqual(command.geometry, scan.geometry);
  const equal = agreement(page.voxels, command.voxels);
  t.diagnostic(`${(100 * equal).toFixed(3)} % of voxels equal the command line's`);
  assert.ok(equal >= 0.999, `${equal}`);

  const statistics = await visitor.statistics();
  LABELS.forEach((value, i) => {
    const score = dice(page.voxels, reference.voxels, value);
    t.diagnostic(`Dice of label ${value} on ${name}: ${score.toFixed(4)}`);
    assert.ok(score >= LOWEST_DICE, `label ${value}: ${score}`);
    const voxels = page.voxels.filter((voxel) => voxel === value).length;
    assert.equal(statistics[i].voxels, voxels);
    const milliliters = (voxels * scan.spacing.reduce((product, edge) => product * edge, 1)) / 1000;
    assert.ok(Math.abs(statistics[i].milliliters - milliliters) < 6e-4);
  });
  assert.equal(await visitor.at("legend").locator("li").count(), LABELS.length);
  assert.ok(await visitor.canvasShowsSomething());
  assert.match(await visitor.page.locator(".results").innerText(), /Research and education only; not a medical device\./);
  assert.deepEqual(visitor.problems, []);
});

test("the same model in four bits can be chosen, and equals the command line's", async (t) => {
  const visitor = await withModel();
  const options = await visitor.at("model").locator("option").allInnerTexts();
  assert.match(options[1], /, in four bits$/);
  assert.equal(options[1].replace(", in four bits", ""), options[0]);
  await visitor.at("model").selectOption("hippocampus/four-bits");
  await visitor.waitForModel();
  const sample = join(root, "public/samples/sample.nii.gz");
  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await visitor.segment();
  const { bytes } = await visitor.save();
  const file = join(scratch(), "native.nii.gz");
  const native = dinomed3d("segment", sample, "-o", file, "--model", join(model, "four-bits"));
  assert.equal(native.status, 0, native.stderr);
  const [page, command] = [bytes, file].map(readNifti);
  const equal = agreement(page.voxels, command.voxels);
  t.diagnostic(`${(100 * equal).toFixed(3)} % of voxels equal the command line's`);
  assert.ok(equal >= 0.999, `${equal}`);
  await visitor.at("model").selectOption("hippocampus");
  await visitor.waitForModel();
});

test("a run can be cancelled; in the next one the sample is found, and its two labels are about right", async (t) => {
  const visitor = await withModel();
  assert.ok(await visitor.at("cancel").isDisabled());
  // Many windows: there is time to think better of it.
  const large = makeNifti([96, 96, 96], (x, y, z) => Math.hypot(x - 48, y - 48, z - 48));
  await visitor.choose({ name: "large.nii", bytes: large });
  await visitor.waitForScan("large.nii");
  await visitor.at("segment").click();
  await visitor.at("cancel").click();
  await visitor.waitForStatus("Stopped");
  assert.equal(await visitor.at("download-labels").count(), 0);
  assert.ok(await visitor.canvasShowsSomething(), "the scan is still on screen");
  await visitor.takeSample();
  await visitor.segment();
  const { bytes } = await visitor.save();
  const [page, reference] = [bytes, join(root, "public/samples/sample_dseg.nii.gz")].map(readNifti);
  for (const value of LABELS) {
    const score = dice(page.voxels, reference.voxels, value);
    t.diagnostic(`Dice of label ${value} on the sample: ${score.toFixed(4)}`);
    assert.ok(score >= 0.5, `label ${value}: ${score}`);
  }
});

/** So many voxels of a scan from its first one on, where they lie; the whole would take minutes. */
function corner(path, shape) {
  const { bytes, view, isLittle, shape: whole } = readNifti(path);
  const [offset, size] = [view.getFloat32(108, isLittle), view.getInt16(72, isLittle) / 8];
  const parts = [Buffer.from(bytes.subarray(0, offset))];
  const header = new DataView(parts[0].buffer, parts[0].byteOffset);
  shape.forEach((edge, axis) => header.setInt16(42 + 2 * axis, edge, isLittle));
  for (let z = 0; z < shape[2]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      const from = offset + size * whole[0] * (y + whole[1] * z);
      parts.push(bytes.subarray(from, from + size * shape[0]));
    }
  }
  return Buffer.concat(parts);
}

test("an oblique scan of 3 mm keeps its place", { skip: without("volumes/epi_oblique.nii.gz") }, async () => {
  const image = corner(join(data, "volumes/epi_oblique.nii.gz"), [18, 16, 8]);
  const visitor = await withModel();
  await visitor.choose({ name: "oblique.nii", bytes: image });
  await visitor.waitForScan("oblique.nii");
  await visitor.segment();
  const { bytes } = await visitor.save();
  assert.deepEqual(readNifti(bytes).geometry, readNifti(image).geometry);
  // It is larger than what the model has seen.
  assert.match(await visitor.page.locator(".results").innerText(), /Expect wrong labels/);
});
