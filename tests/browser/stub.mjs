// A worker that computes nothing: it says what a real one would, of a small model and its sample or, with `isHead`, of a model of
// heads. For tests of what the page shows, which need no network.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeNifti } from "../nifti.mjs";
import { model, root } from "../places.mjs";
import { HEADERS } from "./page.mjs";

const small = describe("hippocampus", JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")));

/** FreeSurfer's numbers of structures with a left and a right side. */
const SIDES = {
  "cerebral white matter": [2, 41],
  "cerebral cortex": [3, 42],
  "lateral ventricle": [4, 43],
  "inferior lateral ventricle": [5, 44],
  "cerebellum white matter": [7, 46],
  "cerebellum cortex": [8, 47],
  thalamus: [10, 49],
  caudate: [11, 50],
  putamen: [12, 51],
  pallidum: [13, 52],
  hippocampus: [17, 53],
  amygdala: [18, 54],
  "accumbens area": [26, 58],
  "ventral DC": [28, 60],
};
const MIDDLE = { "3rd ventricle": 14, "4th ventricle": 15, "brain-stem": 16, "CSF around the brain": 24 };

const color = (value) => [(37 * value) % 256, (91 * value) % 256, (151 * value) % 256];
const byValue = (a, b) => a.value - b.value;
const head = {
  name: "head",
  title: "Whole head, 32 structures",
  version: "1",
  weightsSha256: "5eed".repeat(16),
  modality: "MR of a head: T1, T2, FLAIR or PD",
  labels: [
    ...Object.entries(SIDES).flatMap(([name, values]) =>
      values.map((value, i) => ({ value, name: `${["left", "right"][i]} ${name}`, color: color(values[0]) })),
    ),
    ...Object.entries(MIDDLE).map(([name, value]) => ({ value, name, color: color(value) })),
  ].sort(byValue),
};

function describe(name, { title, version, weights, modality, labels }) {
  return { name, title, version, weightsSha256: weights.sha256, modality, labels: labels.filter(({ value }) => value !== 0) };
}

const EDGES = [42, 48, 40];

/** A scan of nothing in particular. */
export const headScan = gzipSync(makeNifti(EDGES, (x, y, z) => 100 + 80 * Math.sin(x / 5) * Math.cos(y / 6) * Math.cos(z / 4)));

/** Every label of the head as a slab; `share` of them, for a map that is not done. */
function headLabels(share) {
  const bytes = makeNifti(EDGES, () => 0);
  bytes.writeInt16LE(2, 70);
  bytes.writeInt16LE(8, 72);
  const count = EDGES.reduce((product, edge) => product * edge, 1);
  const voxels = Buffer.alloc(count);
  for (let i = 0; i < count * share; i++) voxels[i] = head.labels[i % head.labels.length].value;
  return gzipSync(Buffer.concat([bytes.subarray(0, 352), voxels]));
}

/** What every result says of itself. */
export const warning = "The scan is larger than those the model was trained on. Expect wrong labels.";

/** Runs in the worker; the messages are those of crates/web/src/protocol.rs. */
function play({ models, warning, sides, labelMap, partialMap, preflight, isStubborn, isHeld, deadlyBytes }) {
  const say = (message, buffer) => self.postMessage({ message: JSON.stringify(message), bytes: buffer }, buffer ? [buffer] : []);
  const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
  let model;
  let scanBytes;
  const segmented = (job, labels) => {
    const statistics = labels.map(({ value }) => ({ value, voxels: 1234 * value, volumeMl: 1.234 * value }));
    say({ kind: "segmented", job, millis: 1500, labels, statistics, warnings: [warning] }, bytesOf(labelMap));
  };
  // A run that is held ends when the test says how.
  let held;
  const ends = {
    end: (job) => segmented(job, model.labels),
    fail: (job) => say({ kind: "failed", job, failure: { what: "The scan could not be segmented.", advice: "Try again.", isFatal: false } }),
  };
  new BroadcastChannel("stub").onmessage = ({ data }) => ends[data](held);
  const answers = {
    loadModel: ({ job, base }) => {
      model = models[base.split("/").at(-2)];
      say({ kind: "downloading", job, received: 1000, total: 2000 });
      say({ kind: "modelLoaded", job, model, checkErrors: { firstBlock: 2e-7, logits: 3e-7 }, millis: 1234 });
    },
    loadScan: ({ job }, bytes) => {
      if (bytes.byteLength < 348) {
        const failure = { what: "This file can't be opened: it is no scan.", advice: "Choose another one.", isFatal: false };
        say({ kind: "failed", job, failure });
        return;
      }
      scanBytes = bytes.byteLength;
      const warnings = ["This file does not say how it lies in space; its axes are taken as they come."];
      say({ kind: "scanLoaded", job, scan: { shape: [36, 50, 36], spacingMm: [1, 1, 1], orientation: "RAS", datatype: "int16", warnings } });
    },
    preflight: ({ job }) => preflight && say({ kind: "preflight", job, ...preflight }),
    segment: ({ job }) => {
      if (scanBytes === deadlyBytes) {
        const failure = { what: "The worker crashed: out of memory", advice: "Try again.", isFatal: true };
        say({ kind: "failed", job: null, failure });
        return;
      }
      say({ kind: "progress", job, fraction: 0.4, window: 1, windows: 2 });
      if (partialMap) say({ kind: "partial", job }, bytesOf(partialMap));
      if (isHeld) held = job;
      if (isStubborn || isHeld) return;
      setTimeout(() => segmented(job, model.labels), 50);
    },
    closer: ({ job, model: base, labels }, bytes) => {
      const part = models[base.split("/").at(-2)];
      if (!part || !bytes?.byteLength) return ends.fail(job);
      const parts = sides.flatMap((side, i) =>
        part.labels.map(({ value, name, color }) => ({ value: 100 + 10 * i + value, name: `${side} ${name.toLowerCase()} hippocampus`, color })),
      );
      const isTaken = { 17: sides.includes("left"), 53: sides.includes("right") };
      const others = labels.map((label) => (isTaken[label.value] ? { ...label, name: `${label.name}, the rest` } : label));
      segmented(job, [...others, ...parts]);
    },
    cancel: ({ job }) => isStubborn || say({ kind: "cancelled", job }),
  };
  self.onmessage = ({ data }) => {
    const request = JSON.parse(data.message);
    answers[request.kind]?.(request, data.bytes);
  };
  say({ kind: "ready", backend: "cpu", adapter: null, reason: "You chose it." });
}

/**
 * For `prepare` of a page: its workers are stubs. The first is `isStubborn`, if so wanted: it never ends a segmentation. With
 * `isHeld` a segmentation ends when `endRun` says how. `labelMap` is the file that a segmentation gives. At the segmentation of a
 * file of `deadlyBytes` the worker dies. A closer look takes something on these `sides`.
 */
export function stubWorker({ isStubborn = false, isHead = false, isHeld = false, sides = ["left", "right"], preflight, labelMap, deadlyBytes } = {}) {
  let isFirst = true;
  const models = isHead ? { head, hippocampus: small } : { hippocampus: small };
  const result = labelMap ?? (isHead ? headLabels(1) : readFileSync(join(root, "public/samples/sample_dseg.nii.gz")));
  const partial = isHead ? headLabels(0.5) : null;
  return async (page) => {
    await page.route("**/models/index.json", (route) => route.fulfill({ json: Object.keys(models) }));
    await page.route("**/models/head/manifest.json", (route) => route.fulfill({ json: head }));
    const partOf = { model: "head", name: "hippocampi" };
    await page.route("**/models/hippocampus/manifest.json", (route) => route.fulfill({ json: { ...small, partOf } }));
    await page.route("**/samples/head.nii.gz", (route) => route.fulfill({ body: headScan }));
    await page.route("**/worker_loader.js*", async (route) => {
      const told = {
        models,
        warning,
        sides,
        labelMap: result.toString("base64"),
        partialMap: partial?.toString("base64"),
        preflight,
        isStubborn: isStubborn && isFirst,
        isHeld,
        deadlyBytes,
      };
      isFirst = false;
      await route.fulfill({ body: `(${play})(${JSON.stringify(told)});`, contentType: "text/javascript", headers: HEADERS });
    });
  };
}

/** Ends a held segmentation: "end" with its result, "fail" with a failure. */
export function endRun(visitor, how) {
  return visitor.page.evaluate((how) => {
    const channel = new BroadcastChannel("stub");
    channel.postMessage(how);
    channel.close();
  }, how);
}
