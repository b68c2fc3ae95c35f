// Starts the page's program. Trunk writes the names of its two files, which carry a hash, into this script's own tag.
const { js, wasm } = document.getElementById("start").dataset;
const { default: init } = await import(new URL(js, document.baseURI));
await init({ module_or_path: new URL(wasm, document.baseURI) });
