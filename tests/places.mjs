// Where the tests find the program, the page and data that is not part of the repository.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The shipped model. */
export const model = join(root, "public/models/hippocampus");

/** Data beside the checkout; `DINOMED3D_DATA` names another place. */
export const data = process.env.DINOMED3D_DATA ?? join(root, "../shared/data");

/** A value for a test's `skip`: false if `path` is there below the data, else why the test is skipped. */
export function without(path) {
  return existsSync(join(data, path)) ? false : `there is no ${path} below ${data}`;
}

/** The cases of the hippocampus data set that the model was not trained on. */
export function validationCases() {
  const folder = join(data, "hippocampus/imagesTr");
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".nii.gz") && !name.startsWith("."));
  return names.sort().filter((_, index) => index % 5 === 0);
}

/** Image and label file of a case. */
export function hippocampus(name) {
  return { image: join(data, "hippocampus/imagesTr", name), label: join(data, "hippocampus/labelsTr", name) };
}

/** Calls the native program; returns `{ status, stdout, stderr }`. */
export function dinomed3d(...words) {
  return spawnSync(process.env.DINOMED3D_BIN, words, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
}

/** As `dinomed3d`, beside what else is done meanwhile; says nothing of stdout. */
export async function besides(...words) {
  const child = spawn(process.env.DINOMED3D_BIN, words, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  const [status] = await once(child, "close");
  return { status, stderr };
}

const folders = [];
process.on("exit", () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A new folder for a test's files, which is gone when all tests of the file are done. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), "dinomed3d-test-"));
  folders.push(folder);
  return folder;
}
