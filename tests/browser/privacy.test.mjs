// The scan never leaves the page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../places.mjs";
import { open, site } from "./page.mjs";
import { stubWorker } from "./stub.mjs";

const sample = join(root, "public/samples/sample.nii.gz");

test("the policy forbids every other origin and every inline script", async () => {
  const response = await fetch(site);
  const html = await response.text();
  const inHeader = response.headers.get("content-security-policy");
  const [, inPage] = html.match(/http-equiv="Content-Security-Policy"\s+content="([^"]+)"/);
  assert.ok(inHeader.startsWith(inPage), "a host that sends no headers is as strict");
  const policy = Object.fromEntries(
    inHeader.split(";").map((rule) => {
      const [name, ...sources] = rule.trim().split(/\s+/);
      return [name, sources];
    }),
  );
  assert.deepEqual(policy["default-src"], ["'none'"]);
  assert.deepEqual(policy["connect-src"], ["'self'"]);
  assert.deepEqual(policy["script-src"], ["'self'", "'wasm-unsafe-eval'"]);
  assert.deepEqual(policy["form-action"], ["'none'"]);
  for (const [name, sources] of Object.entries(policy)) {
    const isNarrow = sources.every((source) => ["'none'", "'self'", "'wasm-unsafe-eval'", "data:", "blob:"].includes(source));
    assert.ok(isNarrow, `${name} ${sources.join(" ")}`);
  }
});

test("after load nothing is sent, and no other origin is ever asked", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu", view: "planes" });
  await visitor.waitForModel();
  // The samples come last, ahead of their use: then the page has all that it needs.
  const hasCome = (name) => visitor.requests.some((request) => request.url().endsWith(`samples/${name}`));
  // A worker beside the first fetches the same model, where there is a processor for it.
  const workers = Math.min(2, await visitor.page.evaluate(() => navigator.hardwareConcurrency));
  const models = () => visitor.requests.filter((request) => /weights[^/]*\.safetensors$/.test(request.url())).length;
  const isLoaded = () => hasCome("head.nii.gz") && hasCome("sample.nii.gz") && models() >= workers;
  for (let tries = 0; tries < 1200 && !isLoaded(); tries++) await visitor.page.waitForTimeout(100);
  assert.equal(models(), workers, "one worker beside the first, which starts none itself");
  // The smaller model; of the other one see whole.test.mjs.
  await visitor.useModel("hippocampus");
  await visitor.page.waitForLoadState("networkidle");
  const duringLoad = visitor.requests.length;
  assert.ok(duringLoad > 5, "requests are seen at all, the worker's too");
  assert.ok(visitor.requests.some((request) => /weights[^/]*\.safetensors$/.test(request.url())), "the worker's too");

  await visitor.choose(sample);
  await visitor.waitForScan("sample.nii.gz");
  await visitor.segment();
  await visitor.save();
  const after = visitor.requests.slice(duringLoad).filter((request) => !request.url().startsWith("blob:"));
  assert.deepEqual(after.map((request) => request.url()), []);

  for (const request of visitor.requests) {
    const address = request.url();
    assert.ok(address.startsWith(site) || /^(blob|data):/.test(address), address);
    assert.equal(request.method(), "GET");
    assert.equal(request.postData(), null);
  }
  assert.deepEqual(visitor.problems, []);
});

test("a script in the page can't send the scan elsewhere", async (t) => {
  const visitor = await open(t, { prepare: stubWorker() });
  const outcomes = await visitor.page.evaluate(async () => {
    const elsewhere = "http://localhost:9/";
    const ways = {
      fetch: () => fetch(elsewhere, { method: "POST", body: "scan" }),
      socket: () =>
        new Promise((done, failed) => {
          const socket = new WebSocket("ws://localhost:9/");
          socket.onopen = done;
          socket.onerror = failed;
        }),
      beacon: async () => {
        if (!navigator.sendBeacon(elsewhere, "scan")) throw new Error("refused");
        // A beacon says yes before it is stopped: the report of the violation is what counts.
        const count = () => window.violations.filter((directive) => directive === "connect-src").length;
        for (let tries = 0; tries < 100 && count() < 3; tries++) await new Promise((done) => setTimeout(done, 100));
        if (count() >= 3) throw new Error("refused");
      },
    };
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.effectiveDirective));
    const outcomes = {};
    for (const [name, way] of Object.entries(ways)) {
      outcomes[name] = await way().then(
        () => "sent",
        () => "refused",
      );
    }
    return { ...outcomes, violations: window.violations };
  });
  assert.deepEqual([outcomes.fetch, outcomes.socket, outcomes.beacon], ["refused", "refused", "refused"]);
  assert.ok(outcomes.violations.filter((directive) => directive === "connect-src").length >= 3, `${outcomes.violations}`);
});

test("once loaded, the page works without a network, also when it is opened anew", async (t) => {
  const visitor = await open(t, { query: "?backend=cpu", view: "planes", serviceWorkers: "allow" });
  await visitor.useModel("hippocampus");
  await visitor.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    // Activated is not yet full: the page says when all files are kept.
    while (!(await caches.keys()).some((name) => name.endsWith("-complete"))) await new Promise((done) => setTimeout(done, 100));
  });
  await visitor.context.setOffline(true);
  const isReachable = await visitor.page.evaluate(() => fetch("not-kept").then(() => true, () => false));
  assert.equal(isReachable, false, "there is no network indeed");
  await visitor.choose({ name: "mine.nii.gz", bytes: readFileSync(sample) });
  await visitor.waitForScan("mine.nii.gz");
  await visitor.segment();

  await visitor.page.reload();
  await visitor.waitForModel();
  await visitor.takeSample();
  await visitor.segment();
  assert.ok(await visitor.canvasShowsSomething(), "the viewer is there too");

  await visitor.page.goto(`${site}docs/head.html`);
  const pictures = await visitor.page.locator("img").evaluateAll((images) => images.map((image) => image.naturalWidth));
  assert.ok(pictures.length > 0 && pictures.every((width) => width > 0), `a model's document too, with its pictures: ${pictures}`);
});
