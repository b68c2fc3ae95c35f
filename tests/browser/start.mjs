// How long the page takes from navigation to a model that is loaded and checked, on its first visit and on later ones; run by
// `cargo xtask bench`.

import { launch, openPage } from "./page.mjs";

/** In the page, from its first moment: when the model is there, and what kept the page from drawing for longer than 50 ms. */
function watch() {
  window.stalls = [];
  new PerformanceObserver((list) => window.stalls.push(...list.getEntries().map(({ startTime, duration }) => [startTime, duration]))).observe({
    type: "longtask",
    buffered: true,
  });
  const look = () => {
    const state = document.querySelector('[data-testid="model-state"]')?.textContent ?? "";
    if (/loaded and checked/.test(state)) window.readyAt ??= performance.now();
    else setTimeout(look, 5);
  };
  look();
}

const VISITS = 6;

const browser = await launch();
const visitor = await openPage(browser, {
  query: "?backend=cpu",
  serviceWorkers: "allow",
  prepare: (page) => page.addInitScript(watch),
});
const visits = [];
for (let visit = 0; visit < VISITS; visit++) {
  if (visit > 0) await visitor.page.reload();
  await visitor.waitForModel();
  // What is kept for later visits is kept after the model is there.
  await visitor.page.evaluate(() => navigator.serviceWorker.ready);
  await visitor.page.waitForTimeout(3000);
  visits.push(
    await visitor.page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
      ready: window.readyAt,
      stalled: window.stalls.filter(([at]) => at < window.readyAt).map(([, duration]) => duration),
    })),
  );
}
const [first, ...later] = visits;
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const row = (name, visits) => {
  const of = (key) => Math.round(middle(visits.map((visit) => visit[key])));
  const longest = Math.max(0, ...visits.flatMap((visit) => visit.stalled));
  console.log(`page, cpu, ${name}: first paint ${of("paint")} ms, ready ${of("ready")} ms, longest task of the page ${longest} ms`);
};
row("first visit", [first]);
row(`later visits, median of ${later.length}`, later);
await visitor.context.close();
await browser.close();
