// Strokes that the network learns from: painted in the page, and taught to the native program.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, scratch } from "../places.mjs";

/** For `prepare` of a page: the strokes that the page gives its worker stay in `window.strokes`. */
export const keepStrokes = (page) =>
  page.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (data, ...rest) {
      if (typeof data?.message === "string" && JSON.parse(data.message).kind === "learn") {
        const words = new Uint32Array(data.bytes.slice(0));
        window.strokes = [];
        for (let at = 0; at < words.length; at += 2 + words[at + 1]) {
          window.strokes.push({ value: words[at], voxels: [...words.subarray(at + 2, at + 2 + words[at + 1])] });
        }
      }
      return post.call(this, data, ...rest);
    };
  });

/** A stroke of so many millimetres at the crosshair, with that tool. */
export async function paint(visitor, tool, mm) {
  const canvas = visitor.page.locator("#viewer canvas");
  await canvas.focus();
  await visitor.at(`mend-${tool}`).click();
  await visitor.at("mend-size").fill(String(mm));
  await visitor.at("mend-size").press("Enter");
  await canvas.focus();
  await visitor.page.keyboard.press(" ");
}

/** The label map of the native program after the strokes that the page's worker was given last. */
export async function learntNatively(visitor, scan, folder) {
  const strokes = await visitor.page.evaluate(() => window.strokes);
  const [file, out] = ["strokes.json", "learnt.nii"].map((name) => join(scratch(), name));
  writeFileSync(file, JSON.stringify(strokes));
  const said = dinomed3d("learn", scan, "--model", folder, "--strokes", file, "-o", out);
  assert.equal(said.status, 0, said.stderr);
  return { strokes, ...readNifti(out) };
}

/** The label map as the page saves it now, and its name. */
export async function saved(visitor) {
  const { name, bytes } = await visitor.saved("download-labels");
  return { name, ...readNifti(bytes) };
}

/** Places where two label maps differ. */
export const different = (a, b) => [...a.keys()].filter((i) => a[i] !== b[i]);
