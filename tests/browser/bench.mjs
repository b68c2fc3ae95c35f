// How long one case takes in the page; run by `cargo xtask bench`.

import { join } from "node:path";
import { root } from "../places.mjs";
import { openPage, launch } from "./page.mjs";

const RUNS = { cpu: 5, webgpu: 2 };

const browser = await launch();
for (const [backend, runs] of Object.entries(RUNS)) {
  const visitor = await openPage(browser, { query: `?backend=${backend}` });
  await visitor.waitForModel(600_000);
  await visitor.useModel("hippocampus");
  await visitor.choose(join(root, "public/samples/sample.nii.gz"));
  await visitor.waitForScan("sample.nii.gz");
  const times = [];
  for (let run = 0; run <= runs; run++) {
    const begun = performance.now();
    await visitor.segment(600_000);
    times.push(performance.now() - begun);
  }
  const [first, ...later] = times;
  later.sort((a, b) => a - b);
  const seconds = (ms) => (ms / 1000).toFixed(2);
  console.log(
    `page, ${backend}: sample, 36 × 50 × 36 voxels: median ${seconds(later[Math.floor(later.length / 2)])} s, ` +
      `${seconds(later[0])} to ${seconds(later.at(-1))} over ${later.length} runs; first run ${seconds(first)} s; ` +
      (await visitor.at("model-state").innerText()),
  );
  await visitor.context.close();
}
await browser.close();
