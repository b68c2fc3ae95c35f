// How much memory a large model takes in the page while it is loaded: `node tests/browser/large.mjs FOLDER [cpu|webgpu] [served|own]`, with the
// environment of the tests. Measured, not tested: FOLDER is what `cargo bench -p dinomed3d-cli --bench large -- make FOLDER 4` leaves.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeWorker, launch, onlyModel, openPage } from "./page.mjs";
import { serveModels } from "./tiny.mjs";

const [folder, backend = "webgpu", way = "served"] = process.argv.slice(2);

/** In the worker, before its program: what its memory and its graphics buffers are. A wasm memory never shrinks, so its last size is its largest. */
function watch() {
  Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 1 });
  const found = { buffers: 0, mostBuffers: 0, created: 0 };
  let memory;
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...words) => {
      const result = await own.apply(WebAssembly, words);
      memory = (result.instance ?? result).exports.memory;
      return result;
    };
  }
  setInterval(() => console.log(`memory ${JSON.stringify({ ...found, memory: memory?.buffer.byteLength })}`), 500);
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
let last = {};
const prepare = async (page) => {
  page.on("console", (message) => {
    const [, found] = message.text().match(/^memory (.*)$/) ?? [];
    if (found) last = JSON.parse(found);
  });
  await (way === "served" ? serveModels({ large: { folder } })(page) : onlyModel(page, "hippocampus"));
  // A processor of one core: no worker is started beside the one that is watched.
  await page.addInitScript(() => Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 1 }));
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
await visitor.page.waitForTimeout(2_000);
const mb = (bytes) => `${((bytes ?? 0) / 1e6).toFixed(0)} MB`;
console.log(`wasm memory ${mb(last.memory)}; graphics buffers ${mb(last.buffers)}, at most ${mb(last.mostBuffers)}, ${last.created} made`);
console.log(`${backend}, ${way}: ready after ${seconds.toFixed(1)} s; ${await visitor.at("model-state").innerText()}`);
await browser.close();
