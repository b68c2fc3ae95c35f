// How long a case takes in the page; run by `cargo xtask bench`.

import { basename, join } from "node:path";
import { root } from "../places.mjs";
import { openPage, launch } from "./page.mjs";

/** Timed runs, after one that is not timed. A software adapter would take hours for a head. */
const CASES = [
  { backend: "cpu", model: "hippocampus", scan: "public/samples/sample.nii.gz", runs: 5 },
  { backend: "webgpu", model: "hippocampus", scan: "public/samples/sample.nii.gz", runs: 2 },
  { backend: "cpu", model: "head", scan: "target/head-256.nii.gz", runs: 3 },
];

const browser = await launch();
for (const { backend, model, scan, runs } of CASES) {
  const visitor = await openPage(browser, { query: `?backend=${backend}` });
  await visitor.waitForModel(600_000);
  await visitor.useModel(model);
  await visitor.choose(join(root, scan));
  await visitor.waitForScan(basename(scan), 600_000);
  const times = [];
  for (let run = 0; run <= runs; run++) {
    await visitor.segment(600_000);
    // From the request to the answer; drawing the labels, without a graphics processor, would take longer than finding them.
    const [, number, unit] = /in ([\d.]+) (ms|s|min)/.exec(await visitor.at("status").innerText());
    times.push(number * { ms: 0.001, s: 1, min: 60 }[unit]);
  }
  const [first, ...later] = times;
  later.sort((a, b) => a - b);
  console.log(
    `page, ${backend}, ${model}: ${basename(scan)}: median ${later[Math.floor(later.length / 2)]} s, ` +
      `${later[0]} to ${later.at(-1)} over ${later.length} runs; first run ${first} s; ` +
      (await visitor.at("model-state").innerText()),
  );
  await visitor.context.close();
}
await browser.close();
