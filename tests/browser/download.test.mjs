// Weights on their way: what breaks goes on, what is damaged is fetched once more and then said.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { test } from "node:test";
import { model, root } from "../places.mjs";
import { launch, Visitor } from "./page.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml" };
const WEIGHTS = readFileSync(join(model, "weights.safetensors"));

/**
 * The built site with one model, on a server without headers of ours. `weights(request, response, from, number)` answers what is
 * asked for of the weights, from that byte on, for the so many-th time.
 */
async function serve(t, weights) {
  const asked = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.replace(/\/$/, "/index.html");
    response.setHeader("cache-control", "no-store");
    if (path === "/models/index.json") return response.end('["hippocampus"]');
    if (path.endsWith("hippocampus/weights.safetensors")) {
      const from = Number(request.headers.range?.match(/^bytes=(\d+)-$/)[1] ?? 0);
      asked.push(from);
      return weights(response, from, asked.length);
    }
    try {
      const bytes = readFileSync(join(root, "dist", path));
      response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });
  const context = await browser.newContext({ serviceWorkers: "block" });
  // One worker alone: what is asked for is the first one's.
  await context.addInitScript(() => Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 1 }));
  const page = await context.newPage();
  await page.route("**/worker_loader.js*", async (route) => {
    const own = await (await route.fetch()).text();
    const alone = `Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 1 });\n${own}`;
    await route.fulfill({ body: alone, contentType: "text/javascript" });
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/?backend=cpu`);
  return { visitor: new Visitor(page, context, [], []), asked };
}

/** Sends the rest of the weights, as a server does that can begin anywhere; up to `to`, where the line breaks. */
function send(response, from, { bytes = WEIGHTS, to, stalls } = {}) {
  const headers = { "content-length": bytes.length - from };
  if (from > 0) headers["content-range"] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(from > 0 ? 206 : 200, headers);
  if (!to) return response.end(bytes.subarray(from));
  // Destroyed later than written: what was sent arrives.
  response.write(bytes.subarray(from, to), () => !stalls && setTimeout(() => response.destroy(), 300));
}

test("what a model is, how large and under which licence is said before any of its weights has come", async (t) => {
  const { visitor } = await serve(t, () => {});
  const manifest = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  await visitor.at("catalogue").locator("summary").click();
  const said = await visitor.at("catalogue").locator("li").innerText();
  const { description, version, weights, scores, training, labels } = manifest;
  for (const fact of [
    description,
    `version ${version}`,
    `${(weights.bytes / 1e6).toFixed(1)} MB to load`,
    `${labels.length - 1} labels`,
    `mean Dice ${scores.meanDice.toFixed(2)} on ${scores.numCases} validation cases`,
    `licence ${training.licence}, by ${training.attribution}`,
  ]) {
    assert.ok(said.includes(fact), `${fact}: ${said}`);
  }
  const card = await visitor.at("catalogue").getByRole("link", { name: "Its card" }).getAttribute("href");
  assert.equal(card, "models/hippocampus/README.md");
  assert.ok(await visitor.at("catalogue").getByRole("button").isDisabled(), "it is in use");
});

test("a download that breaks goes on where it stopped, as often as it takes", async (t) => {
  const { visitor, asked } = await serve(t, (response, from) => {
    const to = from + 500_000;
    send(response, from, { to: to < WEIGHTS.length ? to : undefined });
  });
  await visitor.waitForModel(120_000);
  assert.deepEqual(asked, [0, 500_000, 1_000_000, 1_500_000, 2_000_000]);
});

test("where the site can only begin at the beginning, it does, and gives up at last", async (t) => {
  let isMended = false;
  const { visitor, asked } = await serve(t, (response) => send(response, 0, { to: isMended ? undefined : 700_000 }));
  assert.match(await visitor.waitForError(60_000), /weights\.safetensors could not be fetched.*Check the connection/s);
  assert.deepEqual(asked, [0, 700_000, 700_000, 700_000], "three more that bring nothing new");
  isMended = true;
  await visitor.at("restart").click();
  await visitor.waitForModel(120_000);
});

test("what has come is there after the page was opened anew", async (t) => {
  const { visitor, asked } = await serve(t, (response, from, number) => send(response, from, number === 1 ? { to: 1_500_000, stalls: true } : {}));
  await visitor.page.getByTestId("model-state").getByText("1.5 MB of 2.4 MB").waitFor({ timeout: 60_000 });
  await visitor.page.waitForFunction(async () => (await (await caches.open("model-parts")).keys()).length >= 3);
  await visitor.page.reload();
  await visitor.waitForModel(120_000);
  assert.equal(asked.length, 2);
  assert.ok(asked[1] >= 700_000 && asked[1] <= 1_500_000, `it goes on at ${asked[1]}`);
  assert.deepEqual(await visitor.page.evaluate(() => caches.keys()), [], "once it is whole, parts are not kept");
});

/** With one bit that is another one. */
const flipped = Buffer.from(WEIGHTS);
flipped[flipped.length - 100] ^= 1;

test("a flipped bit is found, and the weights are fetched once more", async (t) => {
  const { visitor, asked } = await serve(t, (response, from, number) => send(response, from, { bytes: number === 1 ? flipped : WEIGHTS }));
  await visitor.waitForModel(120_000);
  assert.deepEqual(asked, [0, 0]);
  assert.equal(await visitor.errorText(), null);
});

test("a bit that is always flipped is said after the second time", async (t) => {
  const { visitor, asked } = await serve(t, (response, from) => send(response, from, { bytes: flipped }));
  assert.match(await visitor.waitForError(120_000), /weights have SHA-256 [0-9a-f]{64}, the manifest says [0-9a-f]{64}.*fetched twice/s);
  assert.deepEqual(asked, [0, 0]);
});
