// The page on WebGPU in a Chromium that computes with Mesa's driver in software: numbers of 16 bits, which Chromium's own driver has not, and a
// whole head, for which its own is too slow.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { agreement, readNifti } from "../nifti.mjs";
import { dinomed3d, root, scratch } from "../places.mjs";
import { beforeWorker, launch, onlyModel, openPage } from "./page.mjs";

const chromium = process.env.CHROMIUM_WITH_HALF;
const skip = chromium ? false : "there is no browser with numbers of 16 bits here";

let browser;
after(async () => (await browser)?.close());

/** By the worker's clock programs with numbers of 16 bits take so many times what they take: how fast they are hangs on the processor. */
const paceHalf = (page, pace) =>
  beforeWorker(page, `(() => {
    const now = performance.now.bind(performance);
    let [told, since, rate] = [now(), now(), 1];
    performance.now = () => told + (now() - since) * rate;
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (words) {
      // What is compiled last is what is measured next.
      [told, since] = [performance.now(), now()];
      rate = words.code.includes("enable f16") ? ${pace} : 1;
      return create.call(this, words);
    };
  })`);
const hurryHalf = (page) => paceHalf(page, 0.05);
const slowHalf = (page) => paceHalf(page, 20);

/** Programs with numbers of 16 bits begin their sums with one. */
const breakHalf = (page) =>
  beforeWorker(page, () => {
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function ({ code, ...words }) {
      const isHalf = code.includes("enable f16");
      return create.call(this, { code: isHalf ? code.replaceAll("f32(0.0)", "f32(1.0)") : code, ...words });
    };
  });

/** The shipped models by name, and what each is tried on. */
const SAMPLES = { hippocampus: ["Sample hippocampus", "sample.nii.gz"], head: ["Sample head", "head.nii.gz"] };

/** A page on WebGPU with a model alone, loaded and checked. */
async function opened(test, prepare, name = "hippocampus") {
  browser ??= launch(chromium);
  const visitor = await openPage(await browser, {
    query: "?backend=webgpu",
    view: "planes",
    prepare: async (page) => {
      await onlyModel(page, name);
      await prepare(page);
    },
  });
  test.after(() => visitor.context.close());
  await visitor.waitForModel();
  const state = await visitor.at("model-state").textContent();
  return { visitor, isHalf: /In half precision, which is faster on this device/.test(state), ...(await visitor.checkErrors()) };
}

/** Segments a model's sample; returns how many of its voxels are not as the command line has them. */
async function differing(visitor, name = "hippocampus") {
  const [title, file] = SAMPLES[name];
  await visitor.takeSample(title);
  await visitor.segment();
  const found = readNifti((await visitor.save()).bytes).voxels;
  const native = join(scratch(), "native.nii.gz");
  const said = dinomed3d("segment", join(root, "public/samples", file), "-o", native, "--model", join(root, "public/models", name));
  assert.equal(said.status, 0, said.stderr);
  const expected = readNifti(native).voxels;
  assert.ok(expected.filter((label) => label > 0).length > 2000, "there is something to agree on");
  return Math.round((1 - agreement(found, expected)) * expected.length);
}

test("where 16 bits are faster and pass the check, a model computes with them and finds what the command line does, but for a few voxels", { skip }, async (t) => {
  const { visitor, isHalf, block, network } = await opened(t, hurryHalf);
  t.diagnostic(`off by ${block} after one transformer block, by ${network} of the whole network`);
  assert.ok(isHalf);
  assert.ok(network > 1e-4, "nothing was rounded to 16 bits");
  assert.ok(network <= 3e-2);
  const voxels = await differing(visitor);
  t.diagnostic(`${voxels} voxels differ`);
  assert.ok(voxels <= 15, `${voxels} voxels differ`);
});

test("where 16 bits are faster and wrong, it computes with 32", { skip }, async (t) => {
  const { isHalf, network } = await opened(t, async (page) => {
    await hurryHalf(page);
    await breakHalf(page);
  });
  assert.ok(!isHalf);
  assert.ok(network <= 1e-4, `off by ${network}`);
});

test("where 16 bits are slower, it computes with 32, and finds what the command line does", { skip }, async (t) => {
  const { visitor, isHalf, network } = await opened(t, slowHalf);
  assert.ok(!isHalf);
  assert.ok(network <= 1e-4, `off by ${network}`);
  const voxels = await differing(visitor);
  t.diagnostic(`${voxels} voxels differ`);
  assert.ok(voxels <= 3, `${voxels} voxels differ`);
});

test("a whole head on a graphics processor is what the command line finds, sides and all", { skip }, async (t) => {
  const { visitor, isHalf } = await opened(t, slowHalf, "head");
  assert.ok(!isHalf);
  const voxels = await differing(visitor, "head");
  t.diagnostic(`${voxels} voxels differ`);
  assert.ok(voxels <= 50, `${voxels} voxels differ`);
});
