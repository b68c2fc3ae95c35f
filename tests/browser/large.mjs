// How much memory a large model takes in the page while it is loaded: `node tests/browser/large.mjs FOLDER [cpu|webgpu] [served|own]`, with the
// environment of the tests. Measured, not tested: FOLDER is what `cargo bench -p dinomed3d-cli --bench large -- make FOLDER 4` leaves.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeWorker, launch, onlyModel, openPage } from "./page.mjs";
import { serveModels } from "./tiny.mjs";

const [folder, backend = "webgpu", way = "served"] = process.argv.slice(2);

/** In the worker, before its program: what its memory and its graphics buffers are. A wasm memory never shrinks, so its last size is its largest. */
function watch() {
  const found = (self.memoryFound = { buffers: 0, mostBuffers: 0, created: 0 });
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...words) => {
      const result = await own.apply(WebAssembly, words);
      found.memory = (result.instance ?? result).exports.memory;
      return result;
    };
  }
  if (!self.GPUDevice) return;
  const create = GPUDevice.prototype.createBuffer;
  const gone = (size) => (found.buffers -= size);
  const collected = new FinalizationRegistry(gone);
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = create.call(this, descriptor);
    found.created += 1;
    found.buffers += descriptor.size;
    found.mostBuffers = Math.max(found.mostBuffers, found.buffers);
    collected.register(buffer, descriptor.size, buffer);
    return buffer;
  };
  const destroy = GPUBuffer.prototype.destroy;
  GPUBuffer.prototype.destroy = function () {
    if (collected.unregister(this)) gone(this.size);
    return destroy.call(this);
  };
}

const browser = await launch();
const prepare = async (page) => {
  await (way === "served" ? serveModels({ large: { folder } })(page) : onlyModel(page, "hippocampus"));
  // One worker alone: the memory is that of the one that computes.
  await beforeWorker(page, watch);
};
const began = performance.now();
const visitor = await openPage(browser, { query: `?backend=${backend}`, view: "planes", prepare });
await visitor.waitForModel();
if (way === "own") {
  await visitor.at("file-input").setInputFiles(readdirSync(folder).map((name) => join(folder, name)));
  await visitor.page.waitForFunction(() => /\(yours\)/.test(document.querySelector('[data-testid="model"]').selectedOptions[0].text), null, { timeout: 600_000 });
  await visitor.waitForModel();
}
const seconds = (performance.now() - began) / 1000;
for (const worker of visitor.page.workers()) {
  const found = await worker.evaluate(() => ({ ...self.memoryFound, memory: self.memoryFound?.memory?.buffer.byteLength }));
  const mb = (bytes) => `${((bytes ?? 0) / 1e6).toFixed(0)} MB`;
  console.log(`worker: wasm memory ${mb(found.memory)}; graphics buffers ${mb(found.buffers)}, at most ${mb(found.mostBuffers)}, ${found.created} made`);
}
console.log(`${backend}, ${way}: ready after ${seconds.toFixed(1)} s; ${await visitor.at("model-state").innerText()}`);
await browser.close();
