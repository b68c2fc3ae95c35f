// Has the browser keep the site's files, so that the page works without a network. Bound by browser.rs.

/** Asks the service worker to keep all files. A browser that offers none, or forbids it, goes without. */
export async function keepSite() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage("keep");
  } catch (error) {
    console.info(`This page is not kept for offline use: ${error.message}`);
  }
}
