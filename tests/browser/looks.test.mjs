// How the page uses a window, and what can be done with the view. What a worker would compute is canned.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { makeNifti } from "../nifti.mjs";
import { model, root, scratch } from "../places.mjs";
import { HEADERS, numberOf, open, sharedPage } from "./page.mjs";
import { stubWorker } from "./stub.mjs";

const preflight = { windows: 2, workers: 2, seconds: 40, memoryBytes: 9e8 };
const pages = Object.fromEntries(
  [false, true].map((isHead) => [isHead, sharedPage({ prepare: stubWorker({ isHead, preflight }) }, (visitor) => visitor.waitForModel())]),
);

/** The page with a result, whatever a test before has made of it; `view` is what is drawn, without 3-D unless that is looked at. */
async function segmented({ isHead = false, view = "planes", viewport = { width: 1280, height: 720 } } = {}) {
  const visitor = await pages[isHead]();
  await visitor.page.setViewportSize(viewport);
  await visitor.page.emulateMedia({ colorScheme: null, contrast: null, forcedColors: null });
  await visitor.at("planes").selectOption(view);
  await visitor.takeSegmented(isHead ? "Sample head" : "Sample hippocampus");
  return visitor;
}

/** Which of these are not wholly in the window, or lie under something else. */
function outOfReach(visitor, ids) {
  return visitor.page.evaluate((ids) => {
    const isReached = (id) => {
      const element = document.querySelector(`[data-testid="${id}"]`);
      const { left, right, top, bottom } = element.getBoundingClientRect();
      const isInside = left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight;
      const points = [[(left + right) / 2, top + 4], [(left + right) / 2, bottom - 4]];
      return isInside && points.every(([x, y]) => element.contains(document.elementFromPoint(x, y)) || element.closest("label")?.contains(document.elementFromPoint(x, y)));
    };
    return ids.filter((id) => !isReached(id));
  }, ids);
}

for (const isHead of [false, true]) {
  test(`all controls are in reach at 1280 × 720 without scrolling, with ${isHead ? "many labels" : "few"}`, async () => {
    const visitor = await segmented({ isHead, view: "all" });
    const controls = ["file-input", "folder-input", "sample", "model", "backend", "segment", "cancel", "status"];
    const views = ["planes", "opacity", "isolate", "window", "level", "reset-window", "picture", "location"];
    const results = ["download-labels", "report", "reference-input"];
    assert.deepEqual(await outOfReach(visitor, [...controls, ...views, ...results]), []);
    const size = await visitor.page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
    assert.deepEqual(size, [1280, 720], "the page itself does not scroll");
    const box = (selector) => visitor.page.locator(selector).boundingBox();
    const [canvas, stage, viewer, results_] = [await box("#viewer canvas"), await box(".stage"), await box("#viewer"), await box(".results:not(.inside)")];
    assert.ok(canvas.height >= 460 && canvas.width >= 560, `the canvas is ${canvas.width} × ${canvas.height}`);
    assert.ok(viewer.y + viewer.height >= 660 && stage.height >= 580, "nothing is left empty below the scan");
    assert.ok(results_.x >= stage.x + stage.width && results_.y < 450, "results stand beside the planes");
    assert.ok(await visitor.canvasShowsSomething());
  });
}

for (const [width, height, least] of [
  [360, 740, 320],
  [768, 1024, 400],
  [1280, 720, 460],
  [1920, 1080, 760],
]) {
  test(`no accessibility rule is broken and nothing cut off at ${width} × ${height}, with a comparison`, async () => {
    const visitor = await segmented({ viewport: { width, height } });
    const reference = join(root, "public/samples/sample_dseg.nii.gz");
    await visitor.at("reference-input").setInputFiles(reference);
    await visitor.at("scores").waitFor();
    assert.deepEqual(await visitor.violations(), []);
    assert.ok((await visitor.page.evaluate(() => document.documentElement.scrollWidth)) <= width);
    const panel = await visitor.page.locator(".results:not(.inside)").evaluate(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]);
    assert.ok(panel[0] <= panel[1], `the result is ${panel[0]} wide in ${panel[1]}`);
    const canvas = await visitor.page.locator("#viewer canvas").boundingBox();
    assert.ok(canvas.height >= least, `the canvas is ${canvas.height} high`);
    for (const id of ["scores", "planes", "segment", "window", "picture"]) {
      const box = await visitor.at(id).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width, `${id} at ${JSON.stringify(box)}`);
    }
  });
}

test("what is opened is seen, however small the window, and the canvas is never higher than that", async () => {
  const visitor = await segmented({ isHead: true });
  const { page } = visitor;
  for (const [width, height] of [[320, 180], [390, 844], [640, 360], [768, 1024], [853, 480], [900, 320], [1024, 500], [1280, 300], [2560, 1440]]) {
    await page.setViewportSize({ width, height });
    await page.evaluate(() => scrollTo(0, 0));
    await visitor.at("file-input").focus();
    const name = `${width}-${height}.nii`;
    await visitor.choose({ name, bytes: makeNifti([20, 24, 28], (x, y, z) => x + y + z) });
    await visitor.waitForScan(name);
    const isSeen = () => {
      const { top, bottom } = document.querySelector(".canvas").getBoundingClientRect();
      return top >= -1 && bottom <= innerHeight + 1;
    };
    await page.waitForFunction(isSeen, null, { timeout: 10_000 }).catch(async () => {
      const box = await page.locator(".canvas").boundingBox();
      assert.fail(`at ${width} × ${height} the canvas is at ${JSON.stringify(box)}`);
    });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width} × ${height}: nothing is wider than the window`);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "file-input", "the keyboard stays where it was");
  }
});

test("a long title of a model stays in its panel, and can be read", async (t) => {
  const title = `${"A title that somebody has given ".repeat(6)}${"word".repeat(30)}`;
  const prepare = async (page) => {
    await stubWorker({ isHead: true })(page);
    const json = { ...JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")), title };
    await page.route("**/models/hippocampus/manifest.json", (route) => route.fulfill({ json }));
  };
  const visitor = await open(t, { view: "planes", prepare, viewport: { width: 1280, height: 720 } });
  await visitor.waitForModel();
  await visitor.at("model").selectOption("hippocampus");
  await visitor.waitForModel();
  assert.equal(await visitor.at("model").getAttribute("title"), title);
  await visitor.at("catalogue").locator("summary").click();
  const { width } = await visitor.page.locator(".controls").boundingBox();
  assert.ok(width < 320, `the column is ${width} wide`);
  const wider = await visitor.page.locator(".controls, .controls *").evaluateAll((all) =>
    all.filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && getComputedStyle(one).display !== "inline" && !one.classList.contains("visually-hidden")).map((one) => one.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(wider.filter((html) => !/^<(select|option|input)/.test(html)), []);
});

for (const [what, options] of [
  ["more contrast", { contrast: "more" }],
  ["more contrast in the dark", { contrast: "more", colorScheme: "dark" }],
  ["the system's own colours", { forcedColors: "active" }],
]) {
  test(`contrast is at least 7 to 1 with ${what}, and labels keep their colours`, async () => {
    const visitor = await segmented();
    await visitor.page.emulateMedia(options);
    const values = options.forcedColors ? ["color-contrast"] : ["color-contrast-enhanced"];
    assert.deepEqual(await visitor.violations({ runOnly: { type: "rule", values } }), []);
    const colors = await visitor.at("legend").locator(".swatch").evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
    assert.equal(new Set(colors).size, 2, `${colors}`);
  });
}

/** Adds this to the module that draws, where `Niivue` is its class. */
function besideNiivue(page, program) {
  return page.route("**/vendor/niivue.js", async (route) => {
    const own = await (await route.fetch()).text();
    await route.fulfill({ body: `${own}\n(${program})(Niivue);`, contentType: "text/javascript", headers: HEADERS });
  });
}

test("whatever comes on screen, its textures are made once", async (t) => {
  const prepare = async (page) => {
    await stubWorker({ isHead: true })(page);
    await besideNiivue(page, ({ prototype }) => {
      const own = prototype.updateGLVolume;
      window.made = 0;
      prototype.updateGLVolume = function () {
        if (this.volumes.length > 0) window.made++;
        return own.call(this);
      };
    });
  };
  const visitor = await open(t, { view: "planes", prepare });
  /** How often they are made until this is done and nothing more comes. */
  const made = async (action) => {
    await visitor.page.evaluate(() => (window.made = 0));
    await action();
    await visitor.page.waitForTimeout(1500);
    return visitor.page.evaluate(() => window.made);
  };
  assert.equal(await made(() => visitor.takeSample("Sample head")), 1, "a scan");
  // A run shows what it has while it goes on.
  assert.equal(await made(() => visitor.segment()), 2, "a result");
  assert.equal(await made(() => visitor.at("closer").click()), 1, "another result in its place");
  assert.equal(await made(() => visitor.at("isolate").click()), 1, "one label alone");
  await visitor.choose({ name: "other.nii", bytes: makeNifti([20, 24, 28], (x, y, z) => x + y + z) });
  assert.equal(await made(() => visitor.waitForScan("other.nii")), 1, "another scan");
});

const ORIENTATIONS = {
  RAS: [[2, 0, 0], [0, 2, 0], [0, 0, 2]],
  LIA: [[-2, 0, 0], [0, 0, 2], [0, -2, 0]],
  oblique: [[1.88, -0.68, 0], [0.64, 1.77, -0.68], [0.23, 0.64, 1.88]],
};
const DIRECTIONS = { L: [-1, 0, 0], R: [1, 0, 0], P: [0, -1, 0], A: [0, 1, 0], I: [0, 0, -1], S: [0, 0, 1] };

test("a letter stands on the side that it names, however the scan lies", async (t) => {
  const prepare = async (page) => {
    await stubWorker()(page);
    await besideNiivue(page, ({ prototype }) => {
      const own = prototype.drawText;
      window.letters = {};
      prototype.drawText = function (place, text, ...others) {
        window.letters[text] = [...place].map((edge) => edge / this.uiData.dpr);
        return own.call(this, place, text, ...others);
      };
    });
  };
  const visitor = await open(t, { view: "planes", prepare });
  await visitor.waitForModel();
  const canvas = visitor.page.locator("#viewer canvas");
  for (const [orientation, rows] of Object.entries(ORIENTATIONS)) {
    for (const [across, up] of ["LA", "LS", "PS"].map((letters) => [...letters])) {
      for (const letter of [across, up]) {
        const edge = 24;
        const world = (voxel) => rows.map((row) => row.reduce((sum, step, i) => sum + step * (voxel[i] - edge / 2), 0));
        const isThere = (voxel) => world(voxel).reduce((sum, mm, i) => sum + mm * DIRECTIONS[letter][i], 0) > 6;
        const bytes = makeNifti([edge, edge, edge], (...voxel) => (isThere(voxel) ? 100 : 0));
        rows.forEach((row, i) => [...row, world([0, 0, 0])[i]].forEach((value, j) => bytes.writeFloatLE(value, 280 + 16 * i + 4 * j)));
        [2, 2, 2].forEach((mm, axis) => bytes.writeFloatLE(mm, 80 + 4 * axis));
        const name = `${orientation}-${across}${up}-${letter}.nii`;
        await visitor.at("planes").selectOption({ LA: "axial", LS: "coronal", PS: "sagittal" }[across + up]);
        await visitor.page.evaluate(() => (window.letters = {}));
        await visitor.choose({ name, bytes });
        await visitor.waitForScan(name);
        const text = await visitor.page.waitForFunction((letter) => window.letters[letter], letter);
        const [x, y] = await text.jsonValue();
        const { width, height } = await canvas.boundingBox();
        const sides = letter === across ? ["left", "right"] : ["top", "bottom"];
        assert.equal(x < width / 4 ? "left" : y < height / 4 ? "top" : `${x}, ${y}`, sides[0], `${name}: where ${letter} stands`);
        const isMeant = ({ halves }) => halves[sides[0]].bright > 0.1 && halves[sides[1]].bright < halves[sides[0]].bright / 2;
        await visitor.waitForShares(isMeant, `${name}: what lies to ${letter} is bright at ${sides[0]}`);
      }
    }
  }
});

test("a scan that can't be drawn leaves no other one on screen, nor labels of its own on that", async (t) => {
  const visitor = await open(t, { view: "planes", prepare: stubWorker({ isHead: true }) });
  await visitor.takeSample("Sample head");
  assert.ok(await visitor.canvasShowsSomething());
  const bytes = makeNifti([20, 24, 28], (x, y, z) => x + y + z);
  // A type of voxels that the worker may know and the viewer does not.
  bytes.writeInt16LE(1280, 70);
  bytes.writeInt16LE(64, 72);
  await visitor.choose({ name: "undrawn.nii", bytes });
  await visitor.waitForScan("undrawn.nii");
  await visitor.page.locator(".canvas-note", { hasText: "can't show this scan" }).waitFor();
  assert.doesNotMatch(await visitor.page.locator(".canvas-note").first().innerText(), /\.\./);
  // What says so lies over the canvas.
  const isEmpty = ({ bright, colored }) => bright < 0.1 && colored < 0.1;
  await visitor.waitForShares(isEmpty, "the scan before is gone");
  assert.equal(await visitor.at("location").innerText(), "");
  await visitor.segment();
  await visitor.page.locator("#viewer canvas").focus();
  for (const key of ["ArrowRight", "PageUp"]) await visitor.page.keyboard.press(key);
  await visitor.page.waitForTimeout(500);
  await visitor.waitForShares(isEmpty, "its labels lie over nothing");
  assert.deepEqual(visitor.problems, []);
  await visitor.choose({ name: "drawn.nii", bytes: makeNifti([20, 24, 28], (x, y, z) => x + y + z) });
  await visitor.waitForScan("drawn.nii");
  assert.ok(await visitor.canvasShowsSomething(), "the next one is drawn");
});

test("the crosshair is told in mm and as the file's own voxel, however the file lies", async (t) => {
  // Each voxel says where it lies in the file; x runs to the left and z before y.
  const bytes = makeNifti([20, 24, 28], (x, y, z) => 10_000 * x + 100 * y + z);
  const rows = [[-1, 0, 0, 50], [0, 0, 1.5, -20], [0, 2, 0, 10]];
  rows.forEach((row, i) => row.forEach((value, j) => bytes.writeFloatLE(value, 280 + 16 * i + 4 * j)));
  [1, 2, 1.5].forEach((edge, axis) => bytes.writeFloatLE(edge, 80 + 4 * axis));
  const visitor = await open(t, { view: "planes", prepare: stubWorker() });
  await visitor.waitForModel();
  await visitor.choose({ name: "turned.nii", bytes });
  await visitor.waitForScan("turned.nii");
  await visitor.page.locator("#viewer canvas").focus();
  const seen = new Set();
  for (const key of ["ArrowRight", "ArrowUp", "PageUp", "PageUp"]) {
    await visitor.page.keyboard.press(key);
    const text = await visitor.at("location").innerText();
    const [, x, y, z, i, j, k, value] = text.match(/^x (\S+), y (\S+), z (\S+) mm · voxel (\d+), (\d+), (\d+) · value (\d+)/).map(numberOf);
    assert.equal(value, 10_000 * i + 100 * j + k, text);
    [50 - i, 1.5 * k - 20, 2 * j + 10].forEach((mm, axis) => assert.ok(Math.abs(mm - [x, y, z][axis]) < 0.06, text));
    seen.add(text);
  }
  assert.equal(seen.size, 4);
});

test("a file that does not say how it lies is drawn where its labels are: x to the left, around the middle", async (t) => {
  const bytes = makeNifti([20, 24, 28], (x, y, z) => 10_000 * x + 100 * y + z);
  for (const code of [252, 254]) bytes.writeInt16LE(0, code);
  const visitor = await open(t, { view: "planes" });
  await visitor.waitForModel();
  await visitor.choose({ name: "nowhere.nii", bytes });
  await visitor.waitForScan("nowhere.nii");
  await visitor.page.locator("#viewer canvas").focus();
  for (const key of ["ArrowRight", "ArrowUp", "PageUp"]) {
    await visitor.page.keyboard.press(key);
    const text = await visitor.at("location").innerText();
    const [, x, y, z, i, j, k, value] = text.match(/^x (\S+), y (\S+), z (\S+) mm · voxel (\d+), (\d+), (\d+) · value (\d+)/).map(numberOf);
    assert.equal(value, 10_000 * i + 100 * j + k, text);
    [9.5 - i, j - 11.5, k - 13.5].forEach((mm, axis) => assert.ok(Math.abs(mm - [x, y, z][axis]) < 0.06, text));
  }
});

/** The canvas as a picture that is no more `before`, as soon as it stays as it is. */
async function drawn(visitor, before) {
  let last;
  for (let tries = 0; tries < 80; tries++) {
    const picture = (await visitor.page.locator("#viewer canvas").screenshot()).toString("base64");
    if (picture === last && picture !== before) return picture;
    last = picture;
    await visitor.page.waitForTimeout(250);
  }
  assert.fail("another picture never comes, or no end of them");
}

test("window and level are set by number, and reset", async () => {
  const visitor = await segmented();
  const values = async () => [await visitor.at("window").inputValue(), await visitor.at("level").inputValue()].map(Number);
  const first = await values();
  assert.ok(first[0] > 0);
  const { bright } = await visitor.canvasShares();
  await visitor.at("level").fill(String(first[1] * 3));
  await visitor.at("level").press("Enter");
  await visitor.waitForShares((shares) => shares.bright < bright / 2, "a level above most values makes them black");
  assert.deepEqual(await values(), [first[0], Number((first[1] * 3).toFixed(2))]);
  await visitor.at("window").fill("0");
  await visitor.at("window").press("Enter");
  await visitor.page.waitForTimeout(100);
  assert.equal((await values())[0], first[0], "a window of no width is not taken");
  await visitor.at("reset-window").click();
  await visitor.waitForShares((shares) => Math.abs(shares.bright - bright) < 0.02, `${bright} again`);
  assert.deepEqual(await values(), first);
});

test("every view shows something of its own, and one of them stays with the next scan", async () => {
  const visitor = await segmented({ view: "render" });
  const pictures = new Set();
  let picture = await drawn(visitor);
  const views = await visitor.at("planes").locator("option").evaluateAll((options) => options.map(({ value }) => value));
  assert.deepEqual(views, ["all", "planes", "axial", "coronal", "sagittal", "mosaic", "render"]);
  for (const view of views) {
    await visitor.at("planes").selectOption(view);
    picture = await drawn(visitor, picture);
    pictures.add(picture);
    assert.ok(await visitor.canvasShowsSomething(), view);
  }
  assert.equal(pictures.size, views.length);
  await visitor.at("planes").selectOption("mosaic");
  await visitor.choose(join(root, "public/samples/sample.nii.gz"));
  await visitor.waitForStatus("Ready to segment");
  assert.ok(await visitor.canvasShowsSomething());
  assert.deepEqual(visitor.problems, []);
});

test("the label at the crosshair is shown alone, and all of them again", async () => {
  const visitor = await segmented();
  const boxes = visitor.at("legend").getByRole("checkbox");
  const states = async () => Promise.all((await boxes.all()).map((box) => box.isChecked()));
  await visitor.page.locator('[data-testid="location"]', { hasText: "Posterior" }).waitFor();
  await visitor.at("isolate").click();
  assert.deepEqual(await states(), [false, true]);
  await visitor.at("isolate").click();
  assert.deepEqual(await states(), [true, true]);
});

test("what is on screen is saved as a picture", async () => {
  const visitor = await segmented();
  await visitor.at("planes").selectOption("axial");
  const { name, bytes } = await visitor.saved("picture");
  assert.equal(name, "sample_axial.png");
  assert.equal(bytes.subarray(1, 4).toString("latin1"), "PNG");
  const size = await visitor.page.locator("#viewer canvas").evaluate(({ width, height }) => [width, height]);
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], size);
  const share = await visitor.page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    return data.filter((value, i) => i % 4 === 0 && value > 90).length / (data.length / 4);
  }, bytes.toString("base64"));
  assert.ok(share > 0.02, `${share} of the picture is bright`);
});

test("a report is one page to print that has what the page shows, and nothing in it runs", async (t) => {
  for (const isHead of [false, true]) {
    const visitor = await segmented({ isHead });
    await visitor.waitForShares(({ colored }) => colored > 0.01, "labels over the scan");
    const canvas = visitor.page.locator("#viewer canvas");
    const before = await canvas.screenshot();
    const { name, html, tables, text } = await visitor.report();
    assert.ok(before.equals(await canvas.screenshot()), "the view stays as it is");
    assert.equal(name, isHead ? "head_report.html" : "sample_report.html");

    const rows = await visitor.at("statistics").locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
    assert.ok(rows.length >= 2);
    assert.deepEqual(tables.volumes, rows);
    const [place] = (await visitor.at("location").innerText()).match(/^x \S+, y \S+, z \S+ mm/);
    assert.ok(text.includes(place.replace(" mm", "")), place);
    const sha256 = isHead ? "5eed".repeat(16) : JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")).weights.sha256;
    for (const said of ["not a medical device", sha256, "Expect wrong labels", "does not say how it lies", "1.5 s on the CPU", "DINO-Med3D "]) {
      assert.ok(text.includes(said), said);
    }
    assert.ok(!/<script|\son\w+=|https?:/i.test(html), "it runs nothing and asks nobody");

    // As a file of its own.
    const problems = [];
    const page = await visitor.context.newPage();
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => request.url().startsWith("data:image/png") || request.url().startsWith("file:") || problems.push(request.url()));
    const path = join(scratch(), name);
    writeFileSync(path, html);
    await page.goto(pathToFileURL(path).href);
    const pictures = await page.locator("img").evaluateAll((images) =>
      images.map((image) => {
        const canvas = document.createElement("canvas");
        Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        let [bright, colored] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
          const colors = data.subarray(i, i + 3);
          bright += colors[0] > 90 ? 1 : 0;
          colored += Math.max(...colors) - Math.min(...colors) > 50 ? 1 : 0;
        }
        const share = (count) => count / (data.length / 4);
        return { plane: image.alt, shape: canvas.width / canvas.height, isPng: image.src.startsWith("data:image/png;base64,iVBORw0KGgo"), bright: share(bright), colored: share(colored) };
      }),
    );
    assert.deepEqual(pictures.map(({ plane, isPng }) => [plane, isPng]), [["Axial", true], ["Coronal", true], ["Sagittal", true]]);
    // Cut to the scan: its edges, not the window's. Voxels are 1 mm.
    const [x, y, z] = isHead ? [42, 48, 40] : [36, 50, 36];
    [x / y, x / z, y / z].forEach((shape, i) => assert.ok(Math.abs(pictures[i].shape / shape - 1) < 0.03, `${pictures[i].plane}: ${pictures[i].shape}`));
    for (const { plane, bright, colored } of pictures) assert.ok(bright > 0.1 && colored > 0.02, `${plane}: ${bright} bright, ${colored} coloured`);
    assert.equal(new Set(await page.locator("img").evaluateAll((images) => images.map(({ src }) => src))).size, 3);

    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    const sheets = [...pdf.matchAll(/\/MediaBox \[0 0 (\S+) (\S+)\]/g)].map(([, width, height]) => [Math.round(width), Math.round(height)]);
    t.diagnostic(`${name}: ${html.length} bytes, ${sheets.length} pages`);
    assert.ok(sheets.length >= 1 && sheets.length <= 3, `${sheets.length} pages`);
    assert.ok(sheets.every(([width, height]) => width === 595 && height === 842), `A4: ${sheets}`);
    assert.deepEqual(problems, []);
    await page.close();
    assert.deepEqual(visitor.problems, []);
  }
});
