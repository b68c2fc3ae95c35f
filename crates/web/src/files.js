// What a visitor drops or chooses as pairs of path and file, with all that folders hold; and what is saved. Bound by browser.rs.

/** Files of a drop; called while it is handled, because afterwards its items are gone. */
export function droppedFiles(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  // A file that a program made is no entry of any file system.
  const found = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  return filesOf(found);
}

/** Files of an input. */
export function chosenFiles(files) {
  return [...files].map((file) => [file.webkitRelativePath || file.name, file]);
}

/** Saves bytes as a file. */
export function saveFile(name, bytes, type) {
  const href = URL.createObjectURL(new Blob([bytes], { type }));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  // The browser has taken what it needs by then.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

async function filesOf(found) {
  const files = [];
  for (const one of found) {
    if (one instanceof File) files.push([one.name, one]);
    else if (one.isFile) files.push([one.fullPath.slice(1), await new Promise((done, failed) => one.file(done, failed))]);
    else files.push(...(await filesOf(await entriesOf(one))));
  }
  return files;
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  // They come a hundred at a time; none says that there are no more.
  for (;;) {
    const more = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (more.length === 0) return entries;
    entries.push(...more);
  }
}
