// The shipped worker on both backends, and under everything that can go wrong inside it, with a tiny network. Failures are
// brought about from outside: by what runs before the worker's program, or by its files changed on the way.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { agreement, makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { HEADERS, beforeWorker, open, site } from "./page.mjs";
import { makeTinyModel, serveModels } from "./tiny.mjs";

let tiny;
before(() => (tiny = makeTinyModel()));

/** What the command line makes of a scan with the tiny model. */
function native(scan) {
  const file = join(scratch(), "native.nii.gz");
  const said = dinomed3d("segment", scan, "-o", file, "--model", tiny.model);
  assert.equal(said.status, 0, said.stderr);
  return readNifti(file);
}

const serveTiny = (page) => serveModels({ tiny: { folder: tiny.model } })(page);

/** A page with the tiny model and the scan with a box. */
async function withScan(t, { prepare, ...options }) {
  const visitor = await open(t, {
    view: "planes",
    ...options,
    prepare: async (page) => {
      await serveTiny(page);
      await prepare?.(page);
    },
  });
  await visitor.waitForModel();
  await visitor.choose(tiny.scan);
  await visitor.waitForScan("scan.nii");
  return visitor;
}

/** The page lives on with a fresh worker and the scan that was there. */
async function livesOn(visitor) {
  await visitor.waitForStatus("A fresh worker is ready", 120_000);
  assert.match(await visitor.at("scan-facts").innerText(), /scan\.nii/);
  assert.ok(await visitor.canvasShowsSomething());
  await visitor.segment();
}

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

test("a software adapter gives way to the CPU; on either backend the label map equals the command line's; a device that is lost is said so, and the visitor can go on with the CPU", async (t) => {
  const visitor = await withScan(t, { prepare: loseDevice });
  assert.match(await visitor.at("backend-reason").innerText(), /^Runs on CPU\. The only WebGPU adapter here is software/);
  // A software adapter takes seconds for a window: its scan has fewer.
  for (const [title, scan, name] of [["CPU", tiny.scan, "scan.nii"], ["WebGPU", tiny.small, "small.nii"]]) {
    const expected = native(scan);
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
  assert.deepEqual(visitor.problems, []);

  await doom(visitor);
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(600_000), /CPU/, "what can be done is said");
  await visitor.at("backend").selectOption("cpu");
  await visitor.waitForModel();
  assert.match(await visitor.at("scan-facts").innerText(), /small\.nii/);
  await visitor.segment();
});

test("of two models chosen quickly the second segments, also when the first comes later", async (t) => {
  let release;
  const hold = new Promise((done) => (release = done));
  const other = (manifest) => {
    manifest.title = "Crates";
    Object.assign(manifest.labels[1], { value: 7, name: "Crate" });
    return manifest;
  };
  const visitor = await withScan(t, {
    query: "?backend=cpu",
    prepare: serveModels({ tiny: { folder: tiny.model }, other: { folder: tiny.model, change: other, hold } }),
  });
  const late = visitor.page.context().waitForEvent("requestfinished", (request) => request.url().includes("models/other/weights"));
  const asked = visitor.page.context().waitForEvent("request", (request) => request.url().includes("models/other/weights"));
  await visitor.at("model").selectOption("other");
  await asked;
  await visitor.at("model").selectOption("tiny");
  await visitor.waitForModel();
  release();
  // A download that is broken off has come late as well.
  await Promise.race([late.catch(() => {}), new Promise((done) => setTimeout(done, 5_000))]);
  await new Promise((done) => setTimeout(done, 1_500));
  await visitor.segment();
  const [{ name, voxels }] = await visitor.statistics();
  assert.equal(name, "Box");
  const values = new Set(readNifti((await visitor.save()).bytes).voxels);
  assert.deepEqual([...values].sort(), [0, 1]);
  assert.ok(voxels > 0);
});

/** Gives the worker three processors and says on the console what it gives away; with `dies` the first that is given a window dies of it. */
const watchOthers = (dies) => (page) =>
  beforeWorker(page, `() => {
    let isFatal = ${dies};
    Object.defineProperty(WorkerNavigator.prototype, "hardwareConcurrency", { get: () => 3 });
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (data, ...rest) {
      if (data.message.includes('"kind":"window"')) {
        console.log(isFatal ? "a window is lost" : "a window is given away");
        if (isFatal) {
          isFatal = false;
          this.terminate();
          setTimeout(() => this.dispatchEvent(new ErrorEvent("error", { message: "it died" })));
          return;
        }
      }
      post.call(this, data, ...rest);
    };
  }`);

for (const dies of [false, true]) {
  test(`windows are shared out among workers${dies ? ", and one that dies costs its window only" : ""}`, async (t) => {
    const said = [];
    const visitor = await withScan(t, {
      query: "?backend=cpu",
      prepare: async (page) => {
        page.on("console", (message) => said.push(message.text()));
        await watchOthers(dies)(page);
      },
    });
    await visitor.page.getByText(/by 3 workers/).waitFor();
    await visitor.segment();
    t.diagnostic(said.join(", "));
    const times = (what) => said.filter((text) => text === what).length;
    assert.equal(times("a window is lost"), dies ? 1 : 0);
    // Whoever is first may have computed all others meanwhile.
    assert.ok(dies || times("a window is given away") > 0);
    const { bytes } = await visitor.save();
    assert.ok(agreement(readNifti(bytes).voxels, native(tiny.scan).voxels) >= 0.999);
    assert.deepEqual(visitor.problems, []);
  });
}

test("a worker that panics is replaced, with the scan", async (t) => {
  const visitor = await withScan(t, {
    query: "?backend=cpu",
    prepare: (page) =>
      beforeWorker(
        page,
        () => {
          // A window of one number, as no worker sends another: the program itself gives up by a panic, amid the segmentation.
          self.addEventListener("message", ({ data }) => {
            if (!data.message.includes('"segment"')) return;
            const { model } = JSON.parse(data.message);
            const message = JSON.stringify({ kind: "window", job: 0, model });
            setTimeout(() => self.dispatchEvent(new MessageEvent("message", { data: { message, bytes: new ArrayBuffer(4) } })));
          });
        },
        { once: true },
      ),
  });
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(), /The worker crashed: /);
  await livesOn(visitor);
});

/** The program with so many mebibytes of memory to grow by and no more. */
function limitMemory(program, mebibytes) {
  const number = (at) => {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = program[at++];
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    return { value, at };
  };
  const encoded = (value) => {
    const bytes = [];
    for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
    return [...bytes, value];
  };
  const MEMORY_SECTION = 5;
  for (let at = 8; at < program.length; ) {
    const { value: length, at: content } = number(at + 1);
    if (program[at] === MEMORY_SECTION) {
      // One memory, without a limit: its flags and its first size, in pages of 64 KiB.
      assert.deepEqual([...program.subarray(content, content + 2)], [1, 0]);
      const { value: pages } = number(content + 2);
      const section = [1, 1, ...encoded(pages), ...encoded(pages + 16 * mebibytes)];
      return Buffer.concat([program.subarray(0, at), Buffer.from([MEMORY_SECTION, ...encoded(section.length), ...section]), program.subarray(content + length)]);
    }
    at = content + length;
  }
  throw new Error("the program has no memory");
}

test("a worker that runs out of memory is replaced, with the scan", async (t) => {
  const program = Buffer.from(await (await fetch(`${site}worker_bg.wasm`)).arrayBuffer());
  // Enough to read the scan below, too little for its scores.
  const body = limitMemory(program, 64);
  const visitor = await withScan(t, {
    query: "?backend=cpu",
    prepare: (page) => page.context().route("**/worker_bg.wasm", (route) => route.fulfill({ body, contentType: "application/wasm", headers: HEADERS }), { times: 1 }),
  });
  await visitor.choose({ name: "large.nii.gz", bytes: gzipSync(makeNifti([160, 160, 128], (x) => x % 7), { level: 1 }) });
  await visitor.waitForScan("large.nii.gz");
  await visitor.at("segment").click();
  assert.match(await visitor.waitForError(), /most likely because memory ran out|memory allocation/);
  await visitor.waitForStatus("A fresh worker is ready", 120_000);
  assert.match(await visitor.at("scan-facts").innerText(), /large\.nii\.gz/);
  await visitor.choose(tiny.scan);
  await visitor.waitForScan("scan.nii");
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
      await serveTiny(page);
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
