// The shipped worker on the processor and on WebGPU: which is taken, what both find, and what is said when one is not there, computes
// wrongly or is lost.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { agreement, readNifti } from "../nifti.mjs";
import { beforeWorker, open } from "./page.mjs";
import { different, keepStrokes, learntNatively, paint, saved } from "./strokes.mjs";
import { makeTinyModel, openTiny, segmentedNatively, serveModels } from "./tiny.mjs";

let tiny;
before(() => (tiny = makeTinyModel()));

/** Loses the graphics device of the page's workers at the segmentation after `doom()`. */
const loseDevice = (page) =>
  beforeWorker(page, () => {
    const request = globalThis.GPUAdapter?.prototype.requestDevice;
    if (!request) return;
    let device;
    GPUAdapter.prototype.requestDevice = async function (...words) {
      return (device = await request.apply(this, words));
    };
    let isDoomed = false;
    new BroadcastChannel("doom").onmessage = () => (isDoomed = true);
    self.addEventListener("message", ({ data }) => {
      if (isDoomed && data.message.includes('"segment"')) setTimeout(() => device?.destroy());
    });
  });

const doom = ({ page }) =>
  page.evaluate(() => {
    const channel = new BroadcastChannel("doom");
    channel.postMessage(null);
    channel.close();
  });

/** The result on screen is learnt from on WebGPU; the way back is exact. */
async function learns(visitor) {
  await visitor.at("mend").click();
  const found = await saved(visitor);
  await paint(visitor, "erase", 4);
  const painted = await saved(visitor);
  await visitor.at("mend-learn").click();
  await visitor.at("mend-unlearn").waitFor({ timeout: 300_000 });
  const learnt = await saved(visitor);
  const natively = await learntNatively(visitor, tiny.small, tiny.model);
  const [stroke] = natively.strokes;
  for (const voxel of stroke.voxels) assert.equal(learnt.voxels[voxel], 0, `voxel ${voxel} was erased`);
  assert.ok(different(painted.voxels, learnt.voxels).length > 0, "nothing has followed");
  // Another device rounds otherwise: a voxel may lie on the fence.
  const apart = different(learnt.voxels, natively.voxels).length;
  assert.ok(apart <= learnt.voxels.length / 500, `${apart} of ${learnt.voxels.length} voxels differ from the processor's`);
  await visitor.at("mend-unlearn").click();
  await visitor.at("mend-undo").click();
  assert.deepEqual((await saved(visitor)).voxels, found.voxels);
}

test("a software adapter gives way to the CPU; on either backend the label map equals the command line's; WebGPU learns from strokes as well; a device that is lost is said so, and the visitor can go on with the CPU", async (t) => {
  const visitor = await openTiny(t, tiny, {
    prepare: async (page) => {
      await keepStrokes(page);
      await loseDevice(page);
    },
  });
  assert.match(await visitor.at("backend-reason").innerText(), /^Runs on CPU\. The only WebGPU adapter here is software/);
  // A software adapter takes seconds for a window: its scan has fewer.
  for (const [title, scan, name] of [["CPU", tiny.scan, "scan.nii"], ["WebGPU", tiny.small, "small.nii"]]) {
    const expected = segmentedNatively(tiny, scan);
    const inBox = expected.voxels.filter((voxel) => voxel === 1).length;
    assert.ok(inBox > 100 && inBox < expected.voxels.length / 2, `there is something to agree on: ${inBox} voxels`);
    if (title === "WebGPU") {
      await visitor.at("backend").selectOption("webgpu");
      await visitor.page.locator('[data-testid="backend-reason"]', { hasText: "Runs on WebGPU. You chose it" }).waitFor({ timeout: 60_000 });
      await visitor.waitForModel();
      await visitor.choose(scan);
      await visitor.waitForScan(name);
    }
    const { block, network } = await visitor.checkErrors();
    t.diagnostic(`${title} against native CPU: ${block} after one transformer block, ${network} of the whole network`);
    assert.ok(block <= 1e-3 && network <= 1e-3);
    await visitor.segment();
    const { bytes } = await visitor.save();
    const found = readNifti(bytes);
    assert.deepEqual(found.geometry, expected.geometry);
    const equal = agreement(found.voxels, expected.voxels);
    t.diagnostic(`${(100 * equal).toFixed(3)} % of voxels on ${title} equal the command line's`);
    assert.ok(equal >= 0.999, `${equal}`);
    assert.match(await visitor.page.locator(".results").innerText(), new RegExp(`on (the )?${title}`));
  }
  await learns(visitor);
  assert.deepEqual(visitor.problems, []);

  await doom(visitor);
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(600_000), /CPU/, "what can be done is said");
  await visitor.at("backend").selectOption("cpu");
  await visitor.waitForModel();
  assert.match(await visitor.at("scan-facts").innerText(), /small\.nii/);
  await visitor.segment();
});

test("a backend that fails the model's check is not used", async (t) => {
  // Of a window, which is the same again, no answer is known to it: its parts are wrong already.
  const partsAlone = ({ check: { window, ...check }, ...manifest }) => ({ ...manifest, check });
  const visitor = await open(t, {
    prepare: async (page) => {
      await serveModels({ tiny: { folder: tiny.model, change: partsAlone } })(page);
      await beforeWorker(page, () => {
        // A card by its looks, which computes one function for another.
        for (const key of ["vendor", "architecture", "device", "description"]) {
          Object.defineProperty(GPUAdapterInfo.prototype, key, { get: () => "card" });
        }
        Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
        const create = GPUDevice.prototype.createShaderModule;
        GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
          return create.call(this, { code: code.replace(/\bexp\(/g, "cos("), ...rest });
        };
      });
    },
  });
  await visitor.waitForModel();
  assert.match(await visitor.at("backend-reason").innerText(), /^Runs on CPU\. WebGPU did not pass the model's check: its result/);
});

test("a browser without WebGPU computes on the CPU; insisting is answered, also when a file is opened then", async (t) => {
  const visitor = await open(t, {
    prepare: async (page) => {
      await serveModels({ tiny: { folder: tiny.model } })(page);
      await beforeWorker(page, () => Object.defineProperty(WorkerNavigator.prototype, "gpu", { get: () => undefined }));
    },
  });
  await visitor.waitForModel();
  assert.match(await visitor.at("backend-reason").innerText(), /^Runs on CPU\. This browser offers no WebGPU/);
  await visitor.at("backend").selectOption("webgpu");
  assert.match(await visitor.waitForError(), /WebGPU can't be used here/);
  await visitor.at("dismiss").click();
  await visitor.choose(tiny.scan);
  assert.match(await visitor.waitForError(), /WebGPU can't be used here/, "no endless reading");
  assert.ok(await visitor.at("file-input").isEnabled());
  await visitor.at("backend").selectOption("automatic");
  await visitor.waitForModel();
  assert.equal(await visitor.errorText(), null);
  await visitor.choose(tiny.scan);
  await visitor.waitForScan("scan.nii");
});
