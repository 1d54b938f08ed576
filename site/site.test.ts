/**
 * The built site in a real browser: every link leads to a page and a heading, search finds, light and dark look different, a phone
 * shows all of it, and nothing is asked of any other machine. Screenshots are left in site/.cache/screenshots.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { serve } from "./serve.ts";

const SCREENSHOTS = fileURLToPath(new URL(".cache/screenshots", import.meta.url));

const ARGUMENTS = [
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking",
  "--disable-component-update --disable-sync",
].flatMap((line) => line.split(" "));

let server: Server;
let origin: string;
let folder: string;
let context: BrowserContext;
/** Requests and errors that no page may cause: requests to other machines, errors, answers that are none. */
const complaints: string[] = [];

before(async () => {
  ({ server, origin } = await serve(0));
  folder = mkdtempSync(join(tmpdir(), "netloom-site-"));
  mkdirSync(SCREENSHOTS, { recursive: true });
  context = await chromium.launchPersistentContext(folder, {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ARGUMENTS,
    viewport: { width: 1280, height: 900 },
  });
  context.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:"))
      complaints.push(`a request to ${request.url()}`);
  });
  context.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} for ${response.url()}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`the console says ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(`an error: ${error.error().message}`));
});

after(async () => {
  await context?.close();
  server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function open(path: string, size?: { readonly width: number; readonly height: number }): Promise<Page> {
  const page = await context.newPage();
  if (size) await page.setViewportSize(size);
  await page.goto(origin + path, { waitUntil: "networkidle" });
  return page;
}

function assertNoComplaints(): void {
  assert.deepEqual(complaints.splice(0), []);
}

interface Walk {
  /** The anchors of each page, by its path. */
  readonly ids: ReadonlyMap<string, ReadonlySet<string>>;
  readonly links: readonly { readonly from: string; readonly to: URL }[];
}

/** Opens every page that can be reached from the first one. */
async function walk(): Promise<Walk> {
  const ids = new Map<string, ReadonlySet<string>>();
  const links: { readonly from: string; readonly to: URL }[] = [];
  const waiting = ["/"];
  const seen = new Set(waiting);
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const page = await open(path);
    ids.set(path, new Set(await page.locator("[id]").evaluateAll((all) => all.map(({ id }) => id))));
    const targets = await page
      .locator("a[href]")
      .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
    for (const target of targets) {
      const to = new URL(target);
      if (to.origin !== origin) continue;
      links.push({ from: path, to });
      if (!seen.has(to.pathname)) waiting.push(to.pathname);
      seen.add(to.pathname);
    }
    await page.close();
  }
  return { ids, links };
}

suite("the site", () => {
  test("every link of every page leads to a page of the site and to a heading of it", async () => {
    const { ids, links } = await walk();
    assert.ok(ids.size > 35, `the walk has seen ${ids.size} pages`);
    const broken = links.filter(
      ({ to }) => to.hash !== "" && !ids.get(to.pathname)?.has(decodeURIComponent(to.hash.slice(1))),
    );
    assert.deepEqual(
      broken.map(({ from, to }) => `${from} leads to ${to.pathname}${to.hash}`),
      [],
    );
    assertNoComplaints();
  });

  test("a request to another machine, a missing file and an error in a page are noticed", async () => {
    await context.route("http://elsewhere.invalid/**", (route) => route.abort());
    const page = await open("/");
    await page.evaluate(async () => {
      await fetch("http://elsewhere.invalid/font").catch(() => undefined);
      await fetch("/no-such-file");
      console.error("planted");
    });
    await page.close();
    const found = complaints.splice(0);
    for (const part of ["elsewhere.invalid", "404 for", "planted"])
      assert.ok(
        found.some((line) => line.includes(part)),
        `${part} is in ${found.join("; ")}`,
      );
  });

  test("search finds a word, and leads to its page", async () => {
    const page = await open("/");
    await page.keyboard.press("/");
    await page.locator(".VPLocalSearchBox input").fill("pcapng");
    await page.locator(".VPLocalSearchBox .result").first().waitFor();
    await page.screenshot({ path: join(SCREENSHOTS, "search.png") });
    await page.keyboard.press("Enter");
    await page.waitForURL(/capture|look-into-a-wire/);
    await page.locator(".vp-doc", { hasText: "pcapng" }).waitFor();
    await page.close();
    assertNoComplaints();
  });

  test("light and dark look different, pictures as well", async () => {
    const looks: { background: string; picture: Buffer }[] = [];
    const page = await open("/concepts/wires.html");
    for (const name of ["light", "dark"]) {
      if (name === "dark") await page.locator(".VPNavBar .VPSwitchAppearance").first().click();
      await page.locator(name === "dark" ? "html.dark" : "html:not(.dark)").waitFor();
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      looks.push({ background, picture: await page.locator(".vp-doc img").first().screenshot() });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
    }
    await page.close();
    assert.notEqual(looks[0]?.background, looks[1]?.background);
    assert.ok(!looks[0]?.picture.equals(looks[1]?.picture ?? Buffer.of()));
    assertNoComplaints();
  });

  test("a phone shows pages in their full width", async () => {
    for (const path of [
      "/",
      "/concepts/requests.html",
      "/how-to/find-out-why.html",
      "/reference/cli.html",
      "/reference/drops.html",
    ]) {
      const page = await open(path, { width: 390, height: 844 });
      const widths = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      await page.screenshot({ path: join(SCREENSHOTS, `phone${path.replaceAll(/[/.]/g, "-")}.png`) });
      await page.close();
      assert.ok(
        (widths[0] ?? 0) <= (widths[1] ?? 0),
        `${path} is ${widths[0]} wide on a screen of ${widths[1]}`,
      );
    }
    assertNoComplaints();
  });
});
