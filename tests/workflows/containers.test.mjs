// The recipes for containers, which are not built here: linted, and what they lay out is laid out and called.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { root, scratch } from "../places.mjs";
import { program, tool } from "./jobs.mjs";

const [hadolint, shellcheck] = [tool("HADOLINT"), tool("SHELLCHECK")];
const containerfile = join(root, "workflows/Containerfile");

/** The instructions of the Containerfile: `[name, words]`. */
const instructions = readFileSync(containerfile, "utf8").split("\n").filter((line) => line && !line.startsWith("#"))
  .map((line) => [line.split(" ")[0], line.slice(line.indexOf(" ") + 1)]);

/** The stages of the Apptainer recipe, in order: `{ header, sections }`, a section's lines by its name and words. */
const stages = [];
for (const line of readFileSync(join(root, "workflows/dinomed3d.def"), "utf8").split("\n").filter((line) => line && !line.startsWith("#"))) {
  const [, key, value] = /^(\w+): (.+)$/.exec(line) ?? [];
  if (key === "Bootstrap") stages.push({ header: {}, sections: {} });
  const { header, sections } = stages.at(-1);
  if (line.startsWith("%")) sections[line.slice(1)] = [];
  else if (key && Object.keys(sections).length === 0) header[key] = value;
  else sections[Object.keys(sections).at(-1)].push(line.trim());
}
const [build, final] = stages;

function lint({ path }, words, input) {
  const said = spawnSync(path, words, { encoding: "utf8", input });
  assert.equal(said.status, 0, said.stdout + said.stderr);
}

test("hadolint finds no fault in the Containerfile", { skip: hadolint.skip }, () => lint(hadolint, ["--no-color", containerfile]));

test("ShellCheck finds no fault in the scripts of Slurm and Apptainer", { skip: shellcheck.skip }, () => {
  // Slurm sets variables whose names are much alike.
  lint(shellcheck, ["--exclude=SC2153", join(root, "workflows/slurm/segment.sbatch")]);
  for (const script of [build.sections.post, final.sections.test, final.sections.runscript]) {
    lint(shellcheck, ["--shell=sh", "-"], `${script.join("\n")}\n`);
  }
});

test("the Apptainer recipe has whole stages and sections that there are", () => {
  assert.equal(stages.length, 2);
  for (const { header, sections } of stages) {
    assert.deepEqual(Object.keys(header), ["Bootstrap", "From", "Stage"]);
    for (const name of Object.keys(sections)) assert.match(name, /^(files|files from build|post|test|runscript|help)$/);
  }
});

test("both recipes take the same images, of the project's Rust, and copy and build the same", () => {
  const images = instructions.filter(([name]) => name === "FROM").map(([, words]) => words.split(" ")[0]);
  assert.deepEqual(images, stages.map(({ header }) => header.From));
  const [, rust] = /rust-version = "(.+)"/.exec(readFileSync(join(root, "Cargo.toml"), "utf8"));
  assert.equal(images[0], `docker.io/library/rust:${rust}-slim-bookworm`);
  assert.match(images[1], /:[\d.]+-slim$/);
  const copies = instructions.filter(([name]) => name === "COPY").flatMap(([, words]) => {
    const [to, ...sources] = words.split(" ").filter((word) => !word.startsWith("--")).reverse();
    return sources.map((source) => [source, resolve("/src", to, to.endsWith("/") ? source : "")]);
  });
  const files = [...build.sections.files, ...final.sections["files from build"], ...final.sections.files].map((line) => line.split(" "));
  assert.deepEqual(copies.sort(), files.sort());
  for (const [source] of copies) assert.ok(source.startsWith("/src/") || existsSync(join(root, source)), source);
  const [, command] = instructions.find(([name]) => name === "RUN");
  assert.equal(build.sections.post.at(-1), command);
});

test("no container runs as root, and without a network one is a BIDS-App with its models", () => {
  const last = (wanted) => instructions.findLast(([name]) => name === wanted)[1];
  assert.match(last("USER"), /^[1-9]\d*:[1-9]\d*$/);
  assert.ok(instructions.findLastIndex(([name]) => name === "USER") > instructions.findLastIndex(([name]) => name === "FROM"));

  // Its files where the recipe has them, below a folder.
  const top = scratch();
  for (const line of final.sections.files) {
    const [source, to] = line.split(" ");
    mkdirSync(dirname(join(top, to)), { recursive: true });
    cpSync(join(root, source), join(top, to), { recursive: true });
  }
  const [[, installed]] = final.sections["files from build"].map((line) => line.split(" "));
  mkdirSync(dirname(join(top, installed)), { recursive: true });
  cpSync(program, join(top, installed));
  const dataset = join(top, "data");
  mkdirSync(join(dataset, "sub-1/anat"), { recursive: true });
  writeFileSync(join(dataset, "dataset_description.json"), '{"Name":"one","BIDSVersion":"1.9.0"}');
  cpSync(join(root, "public/samples/sample.nii.gz"), join(dataset, "sub-1/anat/sub-1_T1w.nii.gz"));

  const entry = JSON.parse(last("ENTRYPOINT"));
  assert.equal(final.sections.runscript.join("\n"), `exec ${entry.join(" ")} "$@"`);
  const canPart = spawnSync("unshare", ["--net", "true"]).status === 0;
  const apart = canPart ? ["unshare", "--net"] : [];
  const call = (script, ...words) => {
    const [name, ...rest] = [...apart, "sh", "-c", script.join("\n"), "sh", ...words];
    return spawnSync(name, rest, { cwd: top, encoding: "utf8", env: { PATH: `${join(top, dirname(installed))}:${process.env.PATH}` } });
  };
  assert.match(call(final.sections.test).stdout, /^head [\s\S]*^hippocampus /m);
  const out = join(top, "out");
  for (const level of ["participant", "group"]) {
    const said = call(final.sections.runscript, dataset, out, level, "--model", "hippocampus");
    assert.equal(said.status, 0, said.stderr);
  }
  for (const name of ["sub-1/anat/sub-1_dseg.nii.gz", "volumes.tsv"]) assert.ok(existsSync(join(out, name)), name);
  assert.equal(basename(installed), entry[0]);
});
