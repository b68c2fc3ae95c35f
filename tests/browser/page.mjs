// The built page in headless Chromium, driven as a visitor does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { after } from "node:test";
import { HEADERS, launch, site } from "./chromium.mjs";

export { HEADERS, launch, site };

let shared;
/** The browser of all tests of a file; every page has its own storage in it. */
const theBrowser = () => (shared ??= launch());
after(async () => (await shared)?.close());

/** Opens the page in the tests' browser, as `openPage`; it is closed after the test. */
export async function open(test, options) {
  const visitor = await openPage(await theBrowser(), options);
  test.after(() => visitor.context.close());
  return visitor;
}

/** One page for all tests that ask for it, made by `prepare` for the first of them. */
export function sharedPage(options, prepare) {
  let visitor;
  return () => (visitor ??= theBrowser().then(async (browser) => {
    const visitor = await openPage(browser, options);
    await prepare(visitor);
    return visitor;
  }));
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Has the page's workers, or with `once` the first of them, call `action` before their own program. */
export function beforeWorker(page, action, { once = false } = {}) {
  let isMeant = true;
  return page.route("**/worker_loader.js*", async (route) => {
    const own = await (await route.fetch()).text();
    const body = isMeant ? `(${action})();\n${own}` : own;
    isMeant = !once;
    await route.fulfill({ body, contentType: "text/javascript", headers: HEADERS });
  });
}

/**
 * Opens the page. `requests` collects the address of every request, of the worker's too; `problems` collects what the console
 * calls an error. Without `serviceWorkers` the page is not kept for offline use, so that tests can intercept its requests. A `view`
 * is what the page begins with in place of all of them: 3-D is what takes longest to draw without a graphics processor.
 */
export async function openPage(browser, { at = site, query = "", prepare, view, serviceWorkers = "block", ...options } = {}) {
  const context = await browser.newContext({ serviceWorkers, ...options });
  const requests = [];
  const problems = [];
  context.on("request", (request) => requests.push(request));
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  await prepare?.(page);
  await page.goto(at + query);
  const visitor = new Visitor(page, context, requests, problems);
  if (view) await visitor.at("planes").selectOption(view);
  return visitor;
}

/** Files of the site's samples, by what they are called there. */
const SAMPLES = { "Sample head": "head.nii.gz", "Sample hippocampus": "sample.nii.gz" };

/** For `prepare` of a page: the site offers only these of its models. */
export function onlyModel(page, ...names) {
  return page.context().route("**/models/index.json", (route) => route.fulfill({ json: names }));
}

/** A number as the page writes it, in English. */
export const numberOf = (text) => Number(text.replace("\u2212", "-"));

/** A person at the page. */
export class Visitor {
  constructor(page, context, requests, problems) {
    Object.assign(this, { page, context, requests, problems });
  }

  /** The part of the page with a `data-testid`. */
  at(id) {
    return this.page.getByTestId(id);
  }

  /** Waits until the worker can compute. */
  async waitForModel(timeout = 600_000) {
    await this.page.waitForFunction(
      () => /loaded and checked/.test(document.querySelector('[data-testid="model-state"]')?.textContent ?? ""),
      null,
      { timeout },
    );
  }

  /** The errors that the page shows of the model's check: after one transformer block, and of the whole network. */
  async checkErrors() {
    const text = await this.at("model-state").textContent();
    const [, block, network] = text.match(/by (\S+) after one transformer block and (\S+) after the whole network/);
    return { block: Number(block), network: Number(network) };
  }

  /** Chooses a file of this machine, or a made one as `{ name, bytes }`. */
  async choose(file) {
    const made = typeof file === "string" ? file : { name: file.name, mimeType: "application/octet-stream", buffer: file.bytes };
    await this.at("file-input").setInputFiles(made);
  }

  /** Chooses several made files, `{ name, bytes }`, at once. */
  async chooseAll(files) {
    const made = files.map(({ name, bytes }) => ({ name, mimeType: "application/octet-stream", buffer: bytes }));
    await this.at("file-input").setInputFiles(made);
  }

  /** The rows of the list: name and state of each scan, the one on screen with a star. */
  async list() {
    return this.at("scans").evaluate((list) =>
      [...list.querySelectorAll("li")].map((row) => {
        const star = row.querySelector("[aria-current]") ? "*" : "";
        const [name, state] = ["strong", ".state"].map((part) => row.querySelector(part).textContent);
        return `${star}${name}: ${state}`;
      }),
    );
  }

  /** Presses a button and returns the file that is saved. */
  async saved(id) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.at(id).click()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  }

  /** Presses "Save a report"; returns the file with its tables by name, each a list of rows of cells, and its text. */
  async report() {
    const { name, bytes } = await this.saved("report");
    const html = bytes.toString();
    // A page of its own, as what a page parses is under its policy.
    const page = await this.context.newPage();
    const told = await page.evaluate((html) => {
      const report = new DOMParser().parseFromString(html, "text/html");
      const cells = (row) => [...row.cells].map((cell) => cell.textContent);
      const tables = [...report.querySelectorAll("table")].map((table) => [table.className, [...table.tBodies[0].rows].map(cells)]);
      return { tables: Object.fromEntries(tables), text: report.body.textContent };
    }, html);
    await page.close();
    return { name, html, ...told };
  }

  /** Drops a file of this machine on the page. */
  async drop(path) {
    const transfer = await this.page.evaluateHandle(
      ({ name, base64 }) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name));
        return transfer;
      },
      { name: basename(path), base64: readFileSync(path).toString("base64") },
    );
    await this.at("viewer").dispatchEvent("dragover", { dataTransfer: transfer });
    await this.at("viewer").dispatchEvent("drop", { dataTransfer: transfer });
  }

  /** Waits for the page's last word to be like this. */
  async waitForStatus(said, timeout = 60_000) {
    await this.page.locator('[data-testid="status"]', { hasText: said }).waitFor({ timeout });
  }

  /** Waits for the scan of that name to be on screen. */
  async waitForScan(name, timeout = 60_000) {
    await this.page.locator('[data-testid="scan-facts"]', { hasText: name }).waitFor({ timeout });
  }

  /** Presses Segment and waits for the result; returns the values that the progress bar went through. */
  async segment(timeout = 600_000) {
    await this.page.evaluate(() => {
      window.progressSeen = [];
      const look = () => {
        const bar = document.querySelector('[data-testid="progress"]');
        if (bar && window.progressSeen.at(-1) !== bar.value) window.progressSeen.push(bar.value);
      };
      window.progressWatch = new MutationObserver(look);
      window.progressWatch.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    await this.at("segment").click();
    // The click itself has started the run, so a result of an earlier one is not taken for this one's.
    await this.page.waitForFunction(() => !document.querySelector('[data-testid="progress"]'), null, { timeout });
    assert.equal(await this.errorText(), null);
    assert.match(await this.at("status").innerText(), /^Segmented in/);
    return this.page.evaluate(() => {
      window.progressWatch.disconnect();
      return window.progressSeen;
    });
  }

  /** Saves the label map as a visitor does; returns its bytes and the name it is saved under. */
  async save() {
    return this.saved("download-labels");
  }

  /** The sizes that the page shows, as numbers, in the order of the labels. */
  async statistics() {
    const rows = await this.at("statistics").locator("tbody tr").allInnerTexts();
    return rows.map((row) => {
      const [name, voxels, milliliters] = row.split("\t").map((cell) => cell.trim());
      return { name, voxels: Number(voxels.replaceAll("\u202f", "")), milliliters: Number(milliliters) };
    });
  }

  /** Takes a sample of the site by its title; the model that it is for comes with it. */
  async takeSample(title = "Sample hippocampus") {
    await this.page.getByRole("button", { name: title }).click();
    await this.waitForScan(SAMPLES[title]);
    await this.waitForModel();
  }

  /** As `takeSample` and `segment`, unless its result is on screen already; a comparison of before is taken away. */
  async takeSegmented(title) {
    const isThere = (await this.at("download-labels").isVisible()) && (await this.at("scan-facts").innerText()).includes(SAMPLES[title]);
    if (!isThere) {
      await this.takeSample(title);
      await this.segment();
    }
    await this.forgetComparison();
  }

  /** Takes a comparison away, if there is one. */
  async forgetComparison() {
    if ((await this.at("forget-comparison").count()) > 0) await this.at("forget-comparison").click();
  }

  /** Chooses a model by its folder's name, if it is another one, and waits for it. */
  async useModel(name) {
    await this.waitForModel();
    if ((await this.at("model").inputValue()) !== name) await this.at("model").selectOption(name);
    await this.waitForModel();
  }

  /** What the page says went wrong; null if nothing. */
  async errorText() {
    const note = this.at("error");
    return (await note.count()) > 0 ? note.innerText() : null;
  }

  /** What axe finds of its rules or those that `options` name. */
  async violations(options = {}) {
    if (!(await this.page.evaluate(() => "axe" in window))) await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate((options) => window.axe.run(options), options);
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
  }

  /** Fails if the page as it is breaks a rule of accessibility, in the light or in the dark, where nothing but colours is another. */
  async assertAccessible() {
    await this.page.emulateMedia({ colorScheme: "light" });
    assert.deepEqual(await this.violations(), [], "light");
    await this.page.emulateMedia({ colorScheme: "dark" });
    assert.deepEqual(await this.violations({ runOnly: ["cat.color"] }), [], "dark");
  }

  /** Waits for an error and returns its text. */
  async waitForError(timeout = 60_000) {
    await this.at("error").waitFor({ timeout });
    return this.errorText();
  }

  /** Whether the viewer's canvas shows more than its background, at the latest when it has had time to be drawn. */
  canvasShowsSomething() {
    return this.waitForShares(({ bright }) => bright > 0.02).then(() => true, () => false);
  }

  /** Waits until the shares of the canvas are as they should be: it is drawn later than it is told to. */
  async waitForShares(isMeant, what) {
    let shares;
    for (let tries = 0; tries < 80; tries++) {
      shares = await this.canvasShares();
      if (isMeant(shares)) return;
      await this.page.waitForTimeout(250);
    }
    assert.fail(`${what}: ${JSON.stringify(shares)}`);
  }

  /** Which shares of the viewer's canvas are bright, of each half of it also, and of a colour: labels and the crosshair are. */
  async canvasShares() {
    const shot = await this.page.locator("#viewer canvas").screenshot();
    return this.page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const shares = (x, y, width, height) => {
        const { data } = context.getImageData(x, y, width, height);
        let [bright, colored] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
          const [red, green, blue] = data.subarray(i, i + 3);
          bright += red > 90 ? 1 : 0;
          colored += Math.max(red, green, blue) - Math.min(red, green, blue) > 50 ? 1 : 0;
        }
        const count = data.length / 4;
        return { bright: bright / count, colored: colored / count };
      };
      const { width, height } = bitmap;
      const [across, down] = [Math.floor(width / 2), Math.floor(height / 2)];
      const halves = {
        left: shares(0, 0, across, height),
        right: shares(width - across, 0, across, height),
        top: shares(0, 0, width, down),
        bottom: shares(0, height - down, width, down),
      };
      return { ...shares(0, 0, width, height), halves };
    }, shot.toString("base64"));
  }
}
