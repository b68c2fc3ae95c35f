// Headless Chromium and the built site, for tests and for what is no test.

import { chromium } from "playwright-core";

/** Where the built site is served. */
export const site = process.env.DINOMED3D_URL;

const FLAGS = [
  "--no-sandbox",
  // WebGPU and WebGL without a graphics processor.
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-swiftshader",
  // Time stamps to the nanosecond.
  "--enable-webgpu-developer-features",
  // Chromium itself calls nobody either.
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** Starts a browser: the one of all tests, or another. */
export function launch(executablePath = process.env.CHROMIUM) {
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Answers that are let into a worker of the page. */
export const HEADERS = { "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "same-origin" };
