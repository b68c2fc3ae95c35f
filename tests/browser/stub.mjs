// A worker that computes nothing: it says what a real one would, of the sample and its reference. For tests of what the page
// shows, which need no network.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { model, root } from "../places.mjs";
import { HEADERS } from "./page.mjs";

const { title, version, modality, labels } = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
const labelMap = readFileSync(join(root, "public/samples/sample_dseg.nii.gz")).toString("base64");

/** Runs in the worker; the messages are those of crates/web/src/protocol.rs. */
function play({ model, labelMap, isStubborn }) {
  const say = (message, buffer) => self.postMessage({ message: JSON.stringify(message), bytes: buffer }, buffer ? [buffer] : []);
  const answers = {
    loadModel: ({ job }) => {
      say({ kind: "downloading", job, received: 1000, total: 2000 });
      say({ kind: "modelLoaded", job, model, checkErrors: { firstBlock: 2e-7, logits: 3e-7 }, millis: 1234 });
    },
    loadScan: ({ job }, bytes) => {
      if (bytes.byteLength < 348) {
        const failure = { what: "This file can't be opened: it is no scan.", advice: "Choose another one.", isFatal: false };
        say({ kind: "failed", job, failure });
        return;
      }
      const warnings = ["This file does not say how it lies in space; its axes are taken as they come."];
      say({ kind: "scanLoaded", job, scan: { shape: [36, 50, 36], spacingMm: [1, 1, 1], orientation: "RAS", datatype: "int16", warnings } });
    },
    segment: ({ job }) => {
      say({ kind: "progress", job, fraction: 0.4, window: 1, windows: 2 });
      if (isStubborn) return;
      const bytes = Uint8Array.from(atob(labelMap), (letter) => letter.charCodeAt(0));
      const statistics = model.labels.map(({ value }) => ({ value, voxels: 1234 * value, volumeMl: 1.234 * value }));
      const warnings = ["The scan is larger than those the model was trained on. Expect wrong labels."];
      setTimeout(() => say({ kind: "segmented", job, millis: 1500, labels: model.labels, statistics, warnings }, bytes.buffer), 50);
    },
  };
  self.onmessage = ({ data }) => {
    const request = JSON.parse(data.message);
    answers[request.kind]?.(request, data.bytes);
  };
  say({ kind: "ready", backend: "cpu", adapter: null, reason: "You chose it." });
}

/** For `prepare` of a page: its workers are stubs. The first is `isStubborn`, if so wanted: it never ends a segmentation. */
export function stubWorker({ isStubborn = false } = {}) {
  let isFirst = true;
  return (page) =>
    page.route("**/worker_loader.js*", async (route) => {
      const told = { model: { name: "stub", title, version, modality, labels: labels.slice(1) }, labelMap, isStubborn: isStubborn && isFirst };
      isFirst = false;
      await route.fulfill({ body: `(${play})(${JSON.stringify(told)});`, contentType: "text/javascript", headers: HEADERS });
    });
}
