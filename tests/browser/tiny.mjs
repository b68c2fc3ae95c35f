// A network so small that it is trained in seconds and passes through WebGPU without a graphics processor.

import { readFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { EDGE, makeData, makeRecipe } from "../cli/boxes.mjs";
import { makeNifti, readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";
import { open } from "./page.mjs";

/** Trains it on made-up boxes; returns the folder of the model, a scan with a box, and a smaller one. */
export function makeTinyModel() {
  const folder = scratch();
  const [data, run, recipe, model, scan, small] = ["data", "run", "recipe.toml", "tiny", "scan.nii", "small.nii"].map((name) => join(folder, name));
  mkdirSync(data);
  makeData(data);
  makeRecipe(recipe);
  // Of the shape that every model's parts are checked with: each kernel is then compiled for one shape, not for two.
  writeFileSync(recipe, readFileSync(recipe, "utf8").replace(/^window = .*$/m, "window = [4, 16, 16]"));
  const epochs = ["--stage1-epochs", "1", "--stage2-epochs", "8"];
  for (const words of [
    ["train", "--no-cache", "--recipe", recipe, "--data", data, "--out", run, ...epochs],
    ["export", run, "--data", data, "-o", model],
  ]) {
    const said = dinomed3d(...words);
    assert.equal(said.status, 0, said.stderr);
  }
  // Larger than a window, so that several overlap: many, and two.
  const isInside = (x, y, z) => x >= 5 && x < 13 && y >= 4 && y < 12 && z >= 6 && z < 14;
  const noise = (x, y, z) => ((7 * x + 13 * y + 5 * z) % 11) - 5;
  const box = (x, y, z) => (isInside(x, y, z) ? 300 : 100) + noise(x, y, z);
  writeFileSync(scan, makeNifti([EDGE + 4, EDGE, EDGE + 2], box));
  writeFileSync(small, makeNifti([6, EDGE, EDGE], (x, y, z) => box(x + 6, y, z)));
  return { model, scan, small };
}

/** For `prepare` of a page: the site's models are `models`, name to `{ folder, change, hold }`; `change` mends a manifest, the weights come when `hold` is done. */
export function serveModels(models) {
  return async (page) => {
    const context = page.context();
    await context.route("**/models/index.json", (route) => route.fulfill({ json: Object.keys(models) }));
    for (const [name, { folder, change, hold }] of Object.entries(models)) {
      await context.route(`**/models/${name}/manifest.json`, async (route) => {
        const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
        await route.fulfill({ json: change?.(manifest) ?? manifest });
      });
      await context.route(`**/models/${name}/weights*.safetensors`, async (route) => {
        await hold;
        await route.fulfill({ body: readFileSync(join(folder, weightsOf(folder))) });
      });
    }
  };
}

/** The weights file that a model's manifest names. */
function weightsOf(folder) {
  return JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")).weights.file;
}

/** A page with the tiny model and, on screen, its scan with a box. */
export async function openTiny(test, tiny, { prepare, ...options } = {}) {
  const visitor = await open(test, {
    view: "planes",
    ...options,
    prepare: async (page) => {
      await serveModels({ tiny: { folder: tiny.model } })(page);
      await prepare?.(page);
    },
  });
  await visitor.waitForModel();
  await visitor.choose(tiny.scan);
  await visitor.waitForScan("scan.nii");
  return visitor;
}

/** What the command line makes of a scan with the tiny model. */
export function segmentedNatively(tiny, scan) {
  const file = join(scratch(), "native.nii.gz");
  const said = dinomed3d("segment", scan, "-o", file, "--model", tiny.model);
  assert.equal(said.status, 0, said.stderr);
  return readNifti(file);
}
