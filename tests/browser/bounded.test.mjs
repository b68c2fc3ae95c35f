// A scan far larger than usual in the worker, whose memory and that of its helper are limited to 1.5 GB together: it is enough, or the
// scan is refused before anything is computed. Without the page around it, whose viewer has its own memory on the graphics card.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Readable } from "node:stream";
import { createGzip, gunzipSync } from "node:zlib";
import { SHAPE, ct } from "../ct.mjs";
import { limitMemory } from "./memory.mjs";
import { HEADERS, open, site } from "./page.mjs";

/** Pages of 64 KiB for the first of the workers, and for each other. */
const PAGES = [1200e6, 300e6].map((bytes) => Math.floor(bytes / 65536));

/** In the page: a worker that answers one request after another. */
function startWorker() {
  const worker = new Worker("worker_loader.js?backend=cpu", { type: "module" });
  const waiting = [];
  window.said = [];
  worker.onmessage = ({ data: { message, bytes } }) => {
    window.said.push({ ...JSON.parse(message), bytes });
    waiting.splice(0).forEach((look) => look());
  };
  worker.onerror = (event) => worker.onmessage({ data: { message: JSON.stringify({ kind: "broken", what: event.message }) } });
  window.ask = (request, bytes) => worker.postMessage({ message: JSON.stringify(request), bytes }, bytes ? [bytes] : []);
  window.answer = async (...kinds) => {
    for (;;) {
      const found = window.said.find(({ kind }) => [...kinds, "failed", "broken"].includes(kind));
      if (found) return found;
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
}

async function packed() {
  const parts = [];
  const gzip = Readable.from(ct()).pipe(createGzip({ level: 1 }));
  gzip.on("data", (part) => parts.push(part));
  await once(gzip, "end");
  return Buffer.concat(parts);
}

test("a CT of 512 × 512 × 600 is segmented by workers of 1.5 GB together", async (t) => {
  const file = await packed();
  let workers = 0;
  const visitor = await open(t, {
    at: `${site}blank`,
    prepare: async (page) => {
      await page.route("**/blank", (route) => route.fulfill({ body: "<!doctype html><title>Blank</title>", contentType: "text/html", headers: HEADERS }));
      await page.route("**/scan.nii.gz", (route) => route.fulfill({ body: file, headers: HEADERS }));
      await page.context().route("**/worker_bg.wasm*", async (route) => {
        const own = await (await route.fetch()).body();
        const body = limitMemory(own, () => PAGES[Math.min(workers++, 1)]);
        await route.fulfill({ body, contentType: "application/wasm", headers: { ...HEADERS, "cache-control": "no-store" } });
      });
    },
  });
  const { page } = visitor;
  await page.evaluate(startWorker);
  const answered = async (...kinds) => {
    const { bytes, ...answer } = await page.evaluate(async (kinds) => {
      const { bytes, ...answer } = await window.answer(...kinds);
      window.bytes = bytes;
      return answer;
    }, kinds);
    assert.ok(kinds.includes(answer.kind), JSON.stringify(answer));
    return answer;
  };
  await answered("ready");
  await page.evaluate((base) => window.ask({ kind: "loadModel", job: 1, base }), `${site}models/head/`);
  await answered("modelLoaded");
  await page.evaluate(async () => {
    const bytes = await (await fetch("scan.nii.gz")).arrayBuffer();
    window.ask({ kind: "loadScan", job: 2 }, bytes);
  });
  await answered("scanLoaded");
  await page.evaluate(() => window.ask({ kind: "preflight", job: 3, model: 1 }));
  const { memoryBytes } = await answered("preflight");
  t.diagnostic(`${memoryBytes / 1e9} GB are said`);
  await page.evaluate(() => window.ask({ kind: "segment", job: 4, model: 1 }));
  const { statistics } = await answered("segmented");
  assert.ok(workers >= 1);
  t.diagnostic(`${workers} workers`);
  assert.ok(statistics.length > 0);
  const labels = gunzipSync(Buffer.from(await page.evaluate(async () => {
    const blob = new Blob([window.bytes]);
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(",")[1]);
      reader.readAsDataURL(blob);
    });
  }), "base64"));
  const [x, y, z] = SHAPE;
  assert.equal(labels.length, 352 + x * y * z);
});
