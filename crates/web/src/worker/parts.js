// What has come of a model's weights, kept until they are whole, so that a broken download goes on at the next visit too. A browser
// that keeps nothing, or forbids it, goes without. Bound by download.rs.

const NAME = "model-parts";
const address = (hash, from) => `${NAME}/${hash}/${from}`;

/** Arrays of bytes that follow each other from the start on. */
export async function keptParts(hash) {
  const parts = [];
  try {
    const cache = await caches.open(NAME);
    for (let from = 0; ; from += parts.at(-1).length) {
      const kept = await cache.match(address(hash, from));
      const bytes = kept && new Uint8Array(await kept.arrayBuffer());
      if (!bytes?.length) break;
      parts.push(bytes);
    }
  } catch {
    // As above.
  }
  return parts;
}

/** Keeps bytes that begin at `from`. */
export async function keepPart(hash, from, bytes) {
  try {
    await (await caches.open(NAME)).put(address(hash, from), new Response(bytes));
  } catch {
    // As above.
  }
}

/** Keeps nothing any more, of no version. */
export async function forgetParts() {
  try {
    await caches.delete(NAME);
  } catch {
    // As above.
  }
}
