// Imports run one way: no file of a crate leads back to itself by way of another.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, scratch } from "../places.mjs";
import { circles, imports } from "./imports.mjs";

const CRATES = [
  ["volume", "src", "lib"],
  ["kernels", "src", "lib"],
  ["core", "src", "lib"],
  ["cli", "src", "main"],
  ["web", "src", "main", ["worker"]],
  ["web", "src/worker", "main"],
  ["xtask", "src", "main"],
];

for (const [crate, folder, own, leftOut] of CRATES) {
  test(`no circle in crates/${crate}/${folder}`, () => {
    const edges = imports(join(root, "crates", crate, folder), own, leftOut);
    assert.ok([...edges.values()].some((to) => to.size > 0), "it has imports");
    assert.deepEqual(circles(edges), []);
  });
}

test("what needs no network has none", () => {
  for (const crate of ["volume", "kernels"]) {
    const manifest = readFileSync(join(root, "crates", crate, "Cargo.toml"), "utf8");
    // CubeCL is the language of kernels for graphics processors, and only there for who asks for them.
    const others = manifest.replace(/^cubecl = \{ workspace = true, optional = true \}$/m, "");
    assert.doesNotMatch(crate === "kernels" ? others : manifest, /^(burn|cubecl|tch|dinomed3d-core)\b/m, crate);
  }
});

test("a circle is found: by a name handed on, by a path, and through three files", () => {
  const folder = scratch();
  const write = (name, text) => writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, "room"));
  write("lib.rs", "mod a; mod b; mod c; mod d; pub mod room; pub use b::{B, More as Other};");
  write("a.rs", "use crate::{B, c::C}; // use crate::d::D;\n#[cfg(test)] mod tests { use crate::d::D; }");
  write("b.rs", "fn f() { crate::room::inner::g() }");
  write("c.rs", "pub struct C;");
  write("d.rs", "use super::a::A; use crate::room::Inner;");
  write("room/mod.rs", "mod inner; pub use inner::Inner; use crate::c::C;");
  write("room/inner.rs", "use super::Room; use crate::a;");
  assert.deepEqual(circles(imports(folder, "lib")), [["a", "b", "room::inner"]]);
  write("b.rs", "");
  assert.deepEqual(circles(imports(folder, "lib")), []);
});
