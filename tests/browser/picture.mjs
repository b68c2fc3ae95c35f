// The README's picture, of the real page with the sample; run by `cargo xtask picture`.

import { join } from "node:path";
import { root } from "../places.mjs";
import { launch, openPage } from "./page.mjs";

const browser = await launch();
const visitor = await openPage(browser, { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1, colorScheme: "dark" });
await visitor.waitForModel();
await visitor.at("sample").click();
await visitor.at("scan-facts").waitFor();
await visitor.segment();
// NiiVue draws a frame or two after the label map has arrived.
await visitor.page.waitForTimeout(1500);
const path = join(root, "docs/page.png");
await visitor.page.evaluate(() => window.scrollTo(0, 0));
await visitor.page.screenshot({ path, fullPage: true });
console.log(path);
await browser.close();
