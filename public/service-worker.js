// Keeps the site's files, so that the page works without a network. Nothing but the site's own files is ever asked for.
//
// The build writes offline.json: the hash of the whole site, and its files. The network comes first, so that a new build shows at
// once; the kept files answer when there is none.

const LIST = "offline.json";
const COMPLETE = "-complete";

async function keepAll() {
  const { version, files } = await (await fetch(LIST, { cache: "no-cache" })).json();
  const name = `dinomed3d-${version}`;
  if (await caches.has(name + COMPLETE)) return;
  const cache = await caches.open(name);
  for (const file of files) {
    // One after the other: the visitor's own first scan comes first.
    if (!(await cache.match(file))) await cache.add(new Request(file, { cache: "no-cache" }));
  }
  await caches.open(name + COMPLETE);
  for (const other of await caches.keys()) {
    // Others may keep something too: a worker what has come of weights that are still on their way.
    const isOlder = other.startsWith("dinomed3d-") && other !== name && other !== name + COMPLETE;
    if (isOlder) await caches.delete(other);
  }
}

async function answer(request) {
  try {
    return await fetch(request);
  } catch (error) {
    // The query says how to run, not what to fetch.
    const kept = await caches.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.waitUntil(keepAll()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});
