// A network in Chromium as tests/onnx/side.py says, one window for each line that comes:
//
//     node tests/onnx/page_side.mjs ours|onnxruntime-web cpu|webgpu MODEL FOLDER LOGITS [KERNELS]
//
// KERNELS is a file for how long each of WebGPU's compute kernels takes in one more window, by the device's clock.
// MODEL is one of the site's, or a transformer that tests/onnx/transformer.py wrote; ours is given its weights once.
// Both compute in a worker of a page that does nothing else, on one thread, and are given and give back all values.

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { HEADERS, launch, site } from "../browser/chromium.mjs";

const [side, backend, model, folder, logits, kernels] = process.argv.slice(2);
const facts = JSON.parse(readFileSync(join(folder, "facts.json")));
const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const { version } = JSON.parse(readFileSync(join(runtime, "../package.json")));
/** As tests/onnx/side.py. */
const EDGE = 1024;

/** Files that were exported, in pieces: an answer of a hundred megabytes at once ends the browser. */
const PIECE = 1 << 24;
const exported = ["window.f32", "transformer.safetensors", "model.onnx", "shifted.onnx", "product.onnx"].filter((name) => existsSync(join(folder, name)));
const pieces = Object.fromEntries(exported.map((name) => [name, Math.ceil(statSync(join(folder, name)).size / PIECE)]));
const WHOLE = `async (name) => {
  const parts = [];
  for (let at = 0; at < ${JSON.stringify(pieces)}[name]; at += 1) parts.push(await (await fetch(name + "?piece=" + at)).arrayBuffer());
  return new Blob(parts).arrayBuffer();
}`;

/** onnxruntime-web's worker: sessions, and what they are asked. */
const WORKER = `
  import * as ort from "./ort.webgpu.min.mjs";
  const files = ${JSON.stringify({ window: backend === "webgpu" && !facts.vit ? "shifted.onnx" : "model.onnx", product: "product.onnx" })};
  const shape = ${JSON.stringify(facts.input.shape)};
  ort.env.wasm.numThreads = 1;
  const options = { executionProviders: [${JSON.stringify(backend === "webgpu" ? "webgpu" : "wasm")}] };
  const whole = ${WHOLE};
  const sessions = {};
  for (const [what, file] of Object.entries(files)) sessions[what] = await ort.InferenceSession.create(new Uint8Array(await whole(file)), options);
  const square = new ort.Tensor("float32", Float32Array.from({ length: ${EDGE * EDGE} }, (_, i) => (i % 1000) / 500 - 1), [${EDGE}, ${EDGE}]);
  self.onmessage = async ({ data: { what, values } }) => {
    try {
      if (what === "product") {
        // Enough of the answer to know that it was computed.
        const { product } = await sessions.product.run({ a: square, b: square });
        return self.postMessage({ values: (await product.getData()).slice(0, 1) });
      }
      const { logits } = await sessions.window.run({ window: new ort.Tensor("float32", values, shape) });
      const found = await logits.getData();
      self.postMessage({ values: found });
    } catch (error) {
      self.postMessage({ failed: String(error) });
    }
  };
  self.postMessage({});
`;

const TYPES = { safetensors: "application/octet-stream", mjs: "text/javascript", js: "text/javascript", wasm: "application/wasm", html: "text/html", f32: "application/octet-stream", onnx: "application/octet-stream" };
const clock = kernels ? readFileSync(join(import.meta.dirname, "gpu_clock.js"), "utf8") : "";
const own = { "index.html": "<!doctype html><title>bench</title>", "gpu_clock.js": clock, "worker.mjs": kernels ? `import "./gpu_clock.js";\n${WORKER}` : WORKER };

const browser = await launch();
const context = await browser.newContext({ serviceWorkers: "block" });
await context.route("**/onnx-bench/*", (route) => {
  const { pathname, searchParams } = new URL(route.request().url());
  const name = pathname.split("/").pop();
  const type = TYPES[name.split(".").pop()];
  const at = Number(searchParams.get("piece")) * PIECE;
  const body = own[name] ?? (name in pieces ? readFileSync(join(folder, name)).subarray(at, at + PIECE) : readFileSync(join(runtime, name)));
  // No policy for scripts: only ours is made for the site's.
  return route.fulfill({ body, contentType: type, headers: { ...HEADERS, "cross-origin-opener-policy": "same-origin" } });
});
if (kernels) {
  await context.route("**/worker_loader.js*", async (route) => {
    const response = await route.fetch();
    return route.fulfill({ response, body: `import "./onnx-bench/gpu_clock.js";\n${await response.text()}` });
  });
}
const page = await context.newPage();
page.on("console", (message) => message.type() === "error" && console.error(message.text()));
page.on("pageerror", (error) => console.error(error.message));
await page.goto(new URL("onnx-bench/index.html", site).href);

/** Makes `window.once(what)`, which has a window or product computed and gives milliseconds; the last values are `window.found`. */
const begin = {
  ours: async ({ backend, model, vit }) => {
    const worker = new Worker(`../worker_loader.js?backend=${backend}&beside=1`, { type: "module" });
    const heard = (wanted, request) =>
      new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => {
          const message = JSON.parse(data.message);
          if (message.kind === "failed") reject(new Error(`${message.failure.what} ${message.failure.advice}`));
          if (message.kind === wanted) resolve(data.bytes);
        };
        request?.();
      });
    await heard("ready");
    const say = (message, bytes) => worker.postMessage({ message: JSON.stringify(message), bytes }, bytes ? [bytes] : []);
    let job = 1;
    if (vit) {
      const tensor = (file, wanted) => {
        const length = Number(new DataView(file).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
        const { shape, data_offsets } = header[wanted];
        return { shape, values: new Float32Array(file.slice(...data_offsets.map((at) => 8 + length + at))) };
      };
      const transform = (file) => heard("transformed", () => say({ kind: "transform", job: ++job, vit: JSON.stringify(vit) }, file));
      const weights = await window.whole("transformer.safetensors");
      const { shape, values } = tensor(weights, "input");
      await transform(weights);
      const header = JSON.stringify({ input: { dtype: "F32", shape, data_offsets: [0, values.byteLength] } }).padEnd(256);
      window.once = async (what) => {
        if (what === "product") return null;
        const images = await new Blob([new BigUint64Array([256n]), header, values]).arrayBuffer();
        const begun = performance.now();
        window.found = tensor(await transform(images), "patch").values;
        return performance.now() - begun;
      };
      return;
    }
    await heard("modelLoaded", () => say({ kind: "loadModel", job: 1, base: `models/${model}/` }));
    const values = await whole("window.f32");
    window.once = async (what) => {
      if (what === "product") return null;
      const given = values.slice(0);
      const begun = performance.now();
      window.found = new Float32Array(await heard("window", () => say({ kind: "window", job: ++job, model: 1 }, given)));
      return performance.now() - begun;
    };
  },
  "onnxruntime-web": async () => {
    const worker = new Worker("worker.mjs", { type: "module" });
    const heard = (request) =>
      new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => ("failed" in data ? reject(new Error(data.failed)) : resolve(data.values));
        request?.();
      });
    await heard();
    const values = await whole("window.f32");
    window.once = async (what) => {
      const given = new Float32Array(values.slice(0));
      const begun = performance.now();
      const found = await heard(() => worker.postMessage({ what, values: given }));
      if (what === "window") window.found = found;
      return performance.now() - begun;
    };
  },
}[side];

/** One window with tests/onnx/gpu_clock.js on: of each kernel how many and how long. */
const gpuClock = async () => {
  const channel = new BroadcastChannel("gpu-clock");
  const ask = (what) =>
    new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(data);
      channel.postMessage(what);
    });
  await ask("on");
  await window.once("window");
  return ask("off");
};

const once = (what) => page.evaluate((what) => window.once(what), what);
const say = (message) => console.log(JSON.stringify(message));

await page.evaluate(`window.whole = ${WHOLE}`);
await page.evaluate(begin, { backend, model, vit: facts.vit });
await once("window");
const found = await page.evaluate(() => {
  const bytes = new Uint8Array(window.found.buffer, window.found.byteOffset, window.found.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
});
writeFileSync(logits, Buffer.from(found, "base64"));
await once("product");
if (kernels) writeFileSync(kernels, JSON.stringify(await page.evaluate(gpuClock)));
say({ about: side === "ours" ? "ours" : `onnxruntime-web ${version}` });
for await (const line of createInterface({ input: process.stdin })) {
  const what = line.trim();
  const ms = await once(what);
  say({ value: what === "window" ? ms : ms === null ? 0 : (2e-6 * EDGE ** 3) / ms });
}
await browser.close();
