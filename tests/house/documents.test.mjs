// What documents name is there: every link leads somewhere, and the way through the code names every file, and none that is gone.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../places.mjs";

const FOLDERS = ["crates", "docs", "public", "recipes", "tests", "workflows"];
const below = (folder) => readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file));
const files = [...readdirSync(root), ...FOLDERS.flatMap(below)].filter((file) => statSync(join(root, file)).isFile());
const documents = files.filter((file) => file.endsWith(".md"));
const read = (file) => readFileSync(join(root, file), "utf8");

/** Headings as they are addressed behind `#`. */
function headings(text) {
  const titles = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase());
  return titles.map((title) => title.replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"));
}

/** Links of a document that lead nowhere. */
function astray(document, text) {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path, heading] = link.split("#");
    const target = path === "" ? document : join(dirname(document), path);
    if (!existsSync(join(root, target))) return true;
    return heading !== undefined && !headings(read(target)).includes(heading);
  });
}

/** Files and folders that a text names between backquotes. */
function named(text) {
  const words = [...text.matchAll(/`([\w./-]+)`/g)].map(([, word]) => word);
  return words.filter((word) => word.endsWith("/") || /\.(rs|js|mjs|py|c|sh|css|html|txt|toml)$/.test(word));
}

/** What stands below the heading of a crate. */
function partOf(text, crate) {
  return text.split(/^## /m).find((part) => part.startsWith(`\`crates/${crate}\``));
}

const architecture = read("ARCHITECTURE.md");

for (const document of documents) {
  test(`the links of ${document} lead somewhere`, () => {
    assert.deepEqual(astray(document, read(document)), []);
  });
}

/** Whether a file or folder ends in that path. */
function isThere(name) {
  const path = name.replace(/\/$/, "");
  return files.some((file) => `/${file}`.endsWith(`/${path}`) || `/${file}`.includes(`/${path}/`));
}

// What a reader makes, a training or the build.
const MADE = new Set(["fr.rs", "dist/", "recipe.toml", "report.html"]);

for (const document of documents) {
  test(`${document} names nothing that is gone`, () => {
    const gone = named(read(document)).filter((name) => !isThere(name) && !MADE.has(name));
    assert.deepEqual(gone, []);
  });
}

// Said once for all crates, or what every crate or folder has.
const EVERYWHERE = new Set(["lib.rs", "mod.rs", "fixture.rs", "round_trip.rs", "tests.rs", "usual.toml", "rules.rs"]);

for (const crate of ["volume", "kernels", "core", "cli", "web", "xtask"]) {
  test(`the way through the code has a place for every file of crates/${crate}`, () => {
    const names = named(partOf(architecture, crate)).map((name) => basename(name));
    const isOfTests = (file) => file.includes("/tests/");
    const own = files.filter((file) => file.startsWith(`crates/${crate}/src/`) && !isOfTests(file));
    assert.ok(own.length > 0);
    const missing = own.filter((file) => !EVERYWHERE.has(basename(file)) && !names.includes(basename(file)));
    assert.deepEqual(missing, []);
  });
}

test("a link that leads nowhere is found, and so is a heading that is not there", () => {
  const text = "[a](ARCHITECTURE.md) [b](gone.md) [c](ARCHITECTURE.md#tests) [d](ARCHITECTURE.md#gone) [e](https://example.org)";
  assert.deepEqual(astray("README.md", text), ["gone.md", "ARCHITECTURE.md#gone"]);
  assert.deepEqual(named("`a/b.rs`, `c/`, `fn d()` and `e`"), ["a/b.rs", "c/"]);
});
