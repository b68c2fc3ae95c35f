// Which file of a crate imports which, by its `use` lines and paths: enough of Rust for that, and no more.

import { readFileSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";

const key = (path) => path.join("::");

/** Without comments and unit tests. */
function product(source) {
  let text = source.replace(/\/\/[^\n]*/g, "");
  for (;;) {
    const found = /#\[cfg\((?:all\()?test[^\]]*\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*([{;])/.exec(text);
    if (!found) return text;
    let end = found.index + found[0].length;
    for (let depth = found[1] === "{" ? 1 : 0; depth > 0 && end < text.length; end++) {
      if (text[end] === "{") depth++;
      if (text[end] === "}") depth--;
    }
    text = text.slice(0, found.index) + text.slice(end);
  }
}

/** The paths of `a::{b, c::d as e}`, each as its names. */
function expand(prefix, text) {
  const parts = [];
  let [depth, part] = [0, ""];
  for (const letter of text) {
    if (letter === "{") depth++;
    if (letter === "}") depth--;
    if (letter === "," && depth === 0) {
      parts.push(part);
      part = "";
    } else {
      part += letter;
    }
  }
  return [...parts, part].map((each) => each.trim()).filter(Boolean).flatMap((each) => {
    const group = /^([\w:]*?)(?:::)?\{([^]*)\}$/.exec(each);
    if (group) return expand([...prefix, ...group[1].split("::").filter(Boolean)], group[2]);
    return [[...prefix, ...each.replace(/\s+as\s+\w+/, "").split("::").filter(Boolean)]];
  });
}

const USE = /\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);/g;

/** The files below `folder`, by module, and which module imports which others; `root` is the crate's own file. */
export function imports(folder, root, leftOut = []) {
  const sources = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file).split(sep);
    if (!file.endsWith(".rs") || leftOut.includes(name[0])) continue;
    name[name.length - 1] = name.at(-1).slice(0, -3);
    if (name.at(-1) === "mod" || key(name) === root) name.pop();
    sources.set(key(name), { name, text: readFileSync(file, "utf8") });
  }
  // Files that are there for tests alone.
  const tested = [...sources.values()].flatMap(({ name, text }) =>
    [...text.matchAll(/#\[cfg\((?:all\()?test[^\]]*\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;/g)].map(([, child]) => key([...name, child])),
  );
  const isTest = (module) => tested.some((test) => module === test || module.startsWith(`${test}::`));
  const handedOn = new Map();
  const resolve = (from, path) => {
    let [base, rest] = [from, [...path]];
    if (rest[0] === "crate") [base, rest] = [[], rest.slice(1)];
    else if (rest[0] === "self") rest = rest.slice(1);
    else if (rest[0] === "super") {
      while (rest[0] === "super") [base, rest] = [base.slice(0, -1), rest.slice(1)];
    } else if (!sources.has(key([...from, rest[0]]))) return null;
    let at = base;
    for (let steps = 0; rest.length && steps < 20; steps++) {
      const next = [...at, rest[0]];
      if (sources.has(key(next))) at = next;
      else {
        const other = handedOn.get(`${key(at)} ${rest[0]}`);
        if (!other || key(other) === key(at)) break;
        at = other;
      }
      rest = rest.slice(1);
    }
    return at;
  };
  const texts = new Map([...sources].map(([module, { name, text }]) => [module, { name, text: product(text) }]));
  // A name that is handed on may have been handed on before.
  for (let round = 0; round < 3; round++) {
    for (const [module, { name, text }] of texts) {
      for (const [, isPublic, what] of text.matchAll(USE)) {
        for (const path of isPublic ? expand([], what) : []) {
          const target = resolve(name, path);
          if (target) handedOn.set(`${module} ${path.at(-1)}`, target);
        }
      }
    }
  }
  const edges = new Map();
  for (const [module, { name, text }] of texts) {
    if (isTest(module)) continue;
    const used = [...text.matchAll(USE)].flatMap(([, isPublic, what]) => (isPublic ? [] : expand([], what)));
    const rest = text.replace(USE, "");
    used.push(...[...rest.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g)].map(([path]) => path.split("::")));
    used.push(...[...rest.matchAll(/(?<![\w:])([a-z_]\w*)::(\w+)/g)].map(([, child, item]) => [child, item]).filter(([child]) => sources.has(key([...name, child]))));
    const targets = used.map((path) => resolve(name, path)).filter((target) => target && sources.has(key(target)));
    edges.set(module, new Set(targets.map(key).filter((target) => target !== module)));
  }
  return edges;
}

/** Groups of modules each of which leads to all others; a folder's own file and what lies in the folder are one room. */
export function circles(edges) {
  const isAbove = (a, b) => a === "" || b.startsWith(`${a}::`);
  const next = (module) => [...(edges.get(module) ?? [])].filter((to) => !isAbove(to, module) && !isAbove(module, to));
  const [order, low, stack, found] = [new Map(), new Map(), [], []];
  const visit = (module) => {
    order.set(module, order.size);
    low.set(module, order.get(module));
    stack.push(module);
    for (const to of next(module)) {
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) low.set(module, Math.min(low.get(module), low.get(to)));
    }
    if (low.get(module) !== order.get(module)) return;
    const group = stack.splice(stack.indexOf(module));
    if (group.length > 1) found.push(group.sort());
  };
  for (const module of edges.keys()) if (!order.has(module)) visit(module);
  return found;
}
