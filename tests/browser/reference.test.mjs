// The transformer in the browser against the numbers of the reference implementation.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { reference, transformer, transformerConfig, withoutReference } from "../reference.mjs";
import { readSafetensors, writeSafetensors } from "../safetensors.mjs";
import { openBrowser, openPage } from "./page.mjs";

const skip = withoutReference();
/** As natively; see the reference's README. */
const TOLERANCE = 1e-5;

/** Asks a worker of its own for the features of a transformer. */
async function transform(visitor, backend, vit, file) {
  const address = visitor.requests.map((request) => request.url()).find((url) => /\/worker[^/]*\.js/.test(url));
  assert.ok(address, "the page has started its worker");
  const base64 = await visitor.page.evaluate(
    async ({ address, backend, vit, base64 }) => {
      const url = new URL(address);
      url.searchParams.set("backend", backend);
      const worker = new Worker(url, { type: "module" });
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const found = await new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => {
          const message = JSON.parse(data.message);
          if (message.kind === "failed") reject(new Error(message.failure.what));
          if (message.kind === "ready") {
            const request = JSON.stringify({ kind: "transform", job: 1, vit: JSON.stringify(vit) });
            worker.postMessage({ message: request, bytes: bytes.buffer }, [bytes.buffer]);
          }
          if (message.kind === "transformed") resolve(new Uint8Array(data.bytes));
        };
      });
      worker.terminate();
      let text = "";
      for (const byte of found) text += String.fromCharCode(byte);
      return btoa(text);
    },
    { address, backend, vit, base64: file.toString("base64") },
  );
  return readSafetensors(Buffer.from(base64, "base64"));
}

for (const backend of ["webgpu", "cpu"]) {
  for (const name of ["dinov3_mlp", "dinov3_swiglu"]) {
    const path = join(reference, `${name}.safetensors`);
    test(`${name} on ${backend} gives the reference's tokens`, { skip: skip || (existsSync(path) ? false : `no ${path}`) }, async (t) => {
      const visitor = await openPage(await openBrowser(t), { query: "?backend=cpu" });
      await visitor.waitForModel();
      const expected = readSafetensors(readFileSync(path));
      const request = transformer(name);
      request.set("input", expected.get("input"));
      expected.delete("input");
      const found = await transform(visitor, backend, transformerConfig(name), writeSafetensors(request));
      assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
      let worst = 0;
      for (const [key, { values }] of expected) {
        const answer = found.get(key).values;
        assert.equal(answer.length, values.length, key);
        const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        const error = values.reduce((max, value, i) => Math.max(max, Math.abs(value - answer[i]) / largest), 0);
        assert.ok(error <= TOLERANCE, `${key}: ${error}`);
        worst = Math.max(worst, error);
      }
      t.diagnostic(`${name} on ${backend}: largest error ${worst.toExponential(1)} of the largest value`);
    });
  }
}
