// Weights on their way: what breaks goes on, what is damaged is fetched once more and then said.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { test } from "node:test";
import { model, root } from "../places.mjs";
import { launch, Visitor } from "./page.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml" };
const WEIGHTS = readFileSync(join(model, "weights.safetensors"));
const MANIFEST = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
const { chunks } = MANIFEST.weights;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * The built site with one model, on a server without headers of ours. `weights(response, from, number, end)` answers what is
 * asked for of the weights, from that byte on, for the so many-th time, up to the byte before `end`. `change` mends the manifest.
 */
async function serve(t, weights, change) {
  const asked = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.replace(/\/$/, "/index.html");
    response.setHeader("cache-control", "no-store");
    if (path === "/models/index.json") return response.end('["hippocampus"]');
    if (path.endsWith("hippocampus/weights.safetensors")) {
      const [, from, last] = request.headers.range?.match(/^bytes=(\d+)-(\d*)$/) ?? ["", 0, ""];
      asked.push(last ? `${from}-${last}` : Number(from));
      return weights(response, Number(from), asked.length, last ? Number(last) + 1 : WEIGHTS.length);
    }
    if (change && path.endsWith("hippocampus/manifest.json")) {
      const manifest = structuredClone(MANIFEST);
      change(manifest);
      return response.setHeader("content-type", TYPES[".json"]).end(JSON.stringify(manifest));
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
function send(response, from, { bytes = WEIGHTS, to, stalls, end = bytes.length } = {}) {
  const isPart = from > 0 || end < bytes.length;
  const headers = { "content-length": end - from };
  if (isPart) headers["content-range"] = `bytes ${from}-${end - 1}/${bytes.length}`;
  response.writeHead(isPart ? 206 : 200, headers);
  if (!to) return response.end(bytes.subarray(from, end));
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
  await visitor.page.waitForFunction(async () => (await (await caches.open("model-parts")).keys()).length >= 1);
  await visitor.page.reload();
  await visitor.waitForModel(120_000);
  assert.equal(asked.length, 2);
  assert.equal(asked[1], chunks.bytes, "it goes on behind the last part that is known to be what it should be");
  assert.deepEqual(await visitor.page.evaluate(() => caches.keys()), [], "once it is whole, parts are not kept");
});

/** With one bit of a part that is another one. */
function flippedIn(place) {
  const flipped = Buffer.from(WEIGHTS);
  flipped[place * chunks.bytes + 100] ^= 1;
  return flipped;
}

test("the shipped weights have checksums of their parts", () => {
  const found = [];
  for (let from = 0; from < WEIGHTS.length; from += chunks.bytes) found.push(sha256(WEIGHTS.subarray(from, from + chunks.bytes)));
  assert.equal(found.length, 3);
  assert.deepEqual(chunks.sha256, found);
});

/** The range of a part, as it is asked for. */
const range = (place) => `${place * chunks.bytes}-${Math.min((place + 1) * chunks.bytes, WEIGHTS.length) - 1}`;

test("a flipped bit is found, and its part alone is fetched once more", async (t) => {
  for (const place of [0, 1, 2]) {
    const flipped = flippedIn(place);
    const answer = (response, from, number, end) => send(response, from, { bytes: number === 1 ? flipped : WEIGHTS, end });
    const { visitor, asked } = await serve(t, answer);
    await visitor.waitForModel(120_000);
    assert.deepEqual(asked, [0, range(place)]);
    assert.equal(await visitor.errorText(), null);
  }
});

test("where the site can only send all of it, the part is taken from that", async (t) => {
  const { visitor, asked } = await serve(t, (response, _, number) => send(response, 0, { bytes: number === 1 ? flippedIn(1) : WEIGHTS }));
  await visitor.waitForModel(120_000);
  assert.deepEqual(asked, [0, range(1)]);
});

test("a bit that is always flipped is said after the second time, with what was found and expected; what is right stays", async (t) => {
  let isMended = false;
  const flipped = flippedIn(1);
  const { visitor, asked } = await serve(t, (response, from, _, end) => send(response, from, { bytes: isMended ? WEIGHTS : flipped, end }));
  const said = await visitor.waitForError(120_000);
  const found = sha256(flipped.subarray(chunks.bytes, 2 * chunks.bytes));
  assert.match(said, /weights\.safetensors: part 2 of 3 of the weights has SHA-256/);
  assert.ok(said.includes(`has SHA-256 ${found}, the manifest says ${chunks.sha256[1]}. It was fetched twice.`), said);
  assert.match(said, /damaged/);
  assert.deepEqual(asked, [0, range(1)]);
  isMended = true;
  await visitor.at("restart").click();
  await visitor.waitForModel(120_000);
  assert.deepEqual(asked, [0, range(1), chunks.bytes], "the first part is not fetched again");
});

test("weights whose manifest knows no parts are verified whole, as before", async (t) => {
  const older = (manifest) => delete manifest.weights.chunks;
  const flipped = flippedIn(2);
  const once = await serve(t, (response, from, number) => send(response, from, { bytes: number === 1 ? flipped : WEIGHTS }), older);
  await once.visitor.waitForModel(120_000);
  assert.deepEqual(once.asked, [0, 0]);
  const always = await serve(t, (response, from) => send(response, from, { bytes: flipped }), older);
  assert.match(await always.visitor.waitForError(120_000), /weights have SHA-256 [0-9a-f]{64}, the manifest says [0-9a-f]{64}.*fetched twice/s);
  assert.deepEqual(always.asked, [0, 0]);
});
