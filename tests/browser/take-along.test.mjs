// The archive to take along, unpacked and served by what every computer with Python has.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { readNifti } from "../nifti.mjs";
import { dinomed3d, model, root, scratch } from "../places.mjs";
import { launch, openPage } from "./page.mjs";

test("the archive runs from a folder and a plain server, and then without it", async (t) => {
  const folder = scratch();
  const unpacked = spawnSync("python3", ["-m", "zipfile", "-e", process.env.DINOMED3D_TAKE_ALONG, folder], { encoding: "utf8" });
  assert.equal(unpacked.status, 0, unpacked.stderr);
  const place = join(folder, "dinomed3d");
  const readme = readFileSync(join(place, "README.txt"), "utf8");
  // As it is written there, on whatever port is free.
  const [, words] = readme.match(/^ {4}python3 (.*) 8000$/m);
  assert.match(readme, /Research and education only; not a medical device\./);
  const server = spawn("python3", ["-u", ...words.split(" "), "0"], { cwd: place, stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => server.kill());
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  const [, port] = line.match(/ port (\d+)/);

  const browser = await launch();
  t.after(() => browser.close());
  const visitor = await openPage(browser, { at: `http://127.0.0.1:${port}/`, query: "?backend=cpu", view: "planes", serviceWorkers: "allow" });
  await visitor.useModel("hippocampus");
  await visitor.takeSample();
  await visitor.segment();
  const output = join(folder, "native.nii.gz");
  const native = dinomed3d("segment", join(root, "public/samples/sample.nii.gz"), "-o", output, "--model", model);
  assert.equal(native.status, 0, native.stderr);
  assert.deepEqual(readNifti((await visitor.save()).bytes).voxels, readNifti(output).voxels);
  assert.deepEqual(visitor.problems, []);
  assert.ok(visitor.requests.every((request) => request.url().startsWith(`http://127.0.0.1:${port}/`) || /^(blob|data):/.test(request.url())));

  await visitor.page.evaluate(async () => {
    while (!(await caches.keys()).some((name) => name.endsWith("-complete"))) await new Promise((done) => setTimeout(done, 100));
  });
  server.kill();
  await once(server, "exit");
  await visitor.page.reload();
  await visitor.useModel("hippocampus");
  await visitor.takeSample();
  await visitor.segment();
});
