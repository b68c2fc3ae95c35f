// The shipped worker under everything that can go wrong inside it, with a tiny network. Failures are brought about from outside: by
// what runs before the worker's program, or by its files changed on the way.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { agreement, makeNifti, readNifti } from "../nifti.mjs";
import { limitMemory } from "./memory.mjs";
import { HEADERS, beforeWorker, site } from "./page.mjs";
import { makeTinyModel, openTiny, segmentedNatively, serveModels } from "./tiny.mjs";

let tiny;
before(() => (tiny = makeTinyModel()));

/** The page lives on with a fresh worker and the scan that was there. */
async function livesOn(visitor) {
  await visitor.waitForStatus("A fresh worker is ready", 120_000);
  assert.match(await visitor.at("scan-facts").innerText(), /scan\.nii/);
  assert.ok(await visitor.canvasShowsSomething());
  await visitor.segment();
}

test("of two models chosen quickly the second segments, also when the first comes later", async (t) => {
  let release;
  const hold = new Promise((done) => (release = done));
  const other = (manifest) => {
    manifest.title = "Crates";
    Object.assign(manifest.labels[1], { value: 7, name: "Crate" });
    return manifest;
  };
  const visitor = await openTiny(t, tiny, {
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
    const visitor = await openTiny(t, tiny, {
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
    assert.ok(agreement(readNifti(bytes).voxels, segmentedNatively(tiny, tiny.scan).voxels) >= 0.999);
    assert.deepEqual(visitor.problems, []);
  });
}

test("a worker that panics is replaced, with the scan", async (t) => {
  const visitor = await openTiny(t, tiny, {
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

test("a worker that runs out of memory is replaced, with the scan", async (t) => {
  const program = Buffer.from(await (await fetch(`${site}worker_bg.wasm`)).arrayBuffer());
  // 40 MiB more than it begins with: enough to read the scan below, too little to segment it.
  const body = limitMemory(program, (least) => least + 40 * 16);
  const visitor = await openTiny(t, tiny, {
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
