import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { connectCluster } from "../../src/client/connect.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterHarness } from "./harness.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say } from "./ordeal/seed.js";

/** The dashboard in a real browser, beside what `stat --json` says. Pictures of its pages stay in test-artefacts/. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PICTURES = join(CHECKOUT, "test-artefacts");
const BROWSER = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
if (BROWSER === undefined) say("skipped: chromium is not installed");
/** All that a visit transfers. */
const BYTES_MAX = 300_000;

/** Controls without a label, pictures without a text, headings that skip a level. */
const UNNAMED = `(() => {
  const nameless = [...document.querySelectorAll("input, select, button, a, [role=img], [role=region], nav")].filter(
    (each) => !(each.labels?.length || each.getAttribute("aria-label") || each.textContent.trim()),
  );
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1]));
  const skips = levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1);
  return [...nameless.map(({ outerHTML }) => outerHTML), ...skips.map((level) => "h" + level)];
})()`;

/** Texts with less contrast than 4.5 to 1 (WCAG 2, level AA). */
const PALE = `(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parts(color).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    for (let at = each; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((parts(backgroundColor)[3] ?? 1) > 0) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const hasText = (each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  const texts = [...document.body.querySelectorAll("*")].filter(
    (each) => hasText(each) && each.checkVisibility() && !each.closest("script, noscript, option"),
  );
  return texts.flatMap((each) => {
    const { color, fill } = getComputedStyle(each);
    const [a, b] = [light(each instanceof SVGElement ? fill : color), light(behind(each))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [each.tagName + " " + each.textContent.trim().slice(0, 30) + " " + contrast.toFixed(2)] : [];
  });
})()`;

describe.skipIf(BROWSER === undefined)("the dashboard in a browser", () => {
  let harness: ClusterHarness;
  let browser: Browser;
  let page: Page;
  let address = "";
  /** Of what the command serves, which is a client of the cluster besides. */
  let other = "";
  const complaints: string[] = [];
  let bytes = 0;

  beforeAll(async () => {
    harness = await ClusterHarness.start({ mdsCount: 1, csCount: 3 });
    const put = await harness.run(["fs", "put", "-r", join(CHECKOUT, "docs"), "/docs"]);
    expect(put.status, put.errors).toBe(0);
    // Too large for the metadata.
    const lock = await harness.run(["fs", "put", join(CHECKOUT, "package-lock.json"), "/lock"]);
    expect(lock.status, lock.errors).toBe(0);
    const port = await freePort();
    address = `127.0.0.1:${port}`;
    const path = join(harness.lab.root(1), "etc/pstorage/mds.config");
    await writeFile(path, (await readFile(path, "utf8")).replace(/\n$/, ` dashboard=${port}\n`));
    await harness.lab.stopOne("mds", 1);
    await harness.lab.startOne("mds", 1);
    await harness.healthy();
    other = `127.0.0.1:${await freePort()}`;
    const program = join(CHECKOUT, "bin/pstorage.js");
    const child = spawn(process.execPath, [program, "-c", "lab", "dashboard", "--listen", other], {
      env: { ...process.env, ...harness.lab.env(1) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    browser = await chromium.launch({ executablePath: BROWSER ?? "", args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("response", async (response) => {
      bytes += Number(response.headers()["content-length"] ?? 0);
    });
    await mkdir(PICTURES, { recursive: true });
  });

  afterAll(async () => {
    await browser?.close();
    await harness?.close();
  });

  const stat = async (): Promise<ClusterStatus> => JSON.parse((await harness.run(["stat", "--json"])).output);

  async function visit(hash: string): Promise<void> {
    await page.goto(`http://${address}/#/${hash}`);
    await page.waitForSelector("main section");
    const { width } = page.viewportSize() ?? { width: 0 };
    await page.screenshot({
      path: join(PICTURES, `dashboard-${hash.replaceAll("/", "-") || "overview"}-${width}.png`),
      fullPage: true,
    });
  }

  test("shows what stat says", async () => {
    const { chunkServers, mdsServers, chunks, filesystem } = await stat();
    await visit("");
    // A page that has just begun may show the state of two seconds ago.
    const shown = (key: string): ReturnType<typeof expect.poll> =>
      expect.poll(() => page.textContent(`[data-key=${key}]`), { timeout: PATIENCE_MS });
    expect(await page.textContent("#health")).toBe("healthy");
    await shown("cs-active").toBe(String(chunkServers.length));
    await shown("mds-avail").toBe(String(mdsServers.length));
    await shown("chunks").toBe(String(chunks.total));
    await shown("files").toBe(String(filesystem.fileCount));
    expect(bytes).toBeLessThan(BYTES_MAX);
  });

  test("has a page for each server, for clients, events, and where a file is", async () => {
    const [server] = (await stat()).chunkServers;
    await visit("servers");
    await page.click(`text=CS#${server?.csId}`);
    await page.waitForSelector(`h2:has-text("CS#${server?.csId}")`);
    expect(await page.textContent("main")).toContain(server?.address);
    await visit("events");
    await page.fill("[name=text]", "registered for the first time");
    expect(await page.locator("tbody tr").count()).toBe(3);
    await visit("clients");
    // A page that has just begun may show the state of two seconds ago.
    await expect.poll(() => page.textContent("main"), { timeout: PATIENCE_MS }).toContain("command");
    await visit("file");
    await page.fill("[name=path]", "/lock");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=chunks of /lock");
    expect(await page.locator("tbody a").count()).toBeGreaterThanOrEqual(2);
    await page.fill("[name=path]", "/nothing/<b>");
    await page.keyboard.press("Enter");
    await page.waitForSelector("main .bad");
    expect(await page.locator("main b").count()).toBe(0);
  });

  test("shows who has a file open, and what each may do with it", async () => {
    const { lab } = harness;
    const clients = await Promise.all(
      [1, 2].map(() => connectCluster({ cluster: lab.clusterName, root: lab.root(1) })),
    );
    const rows = (): Promise<string[]> => page.locator("main table >> nth=0 >> tbody tr").allInnerTexts();
    const show = async (words: string): Promise<void> => {
      await page.click("text=Show");
      await page.waitForSelector(`text=${words}`, { timeout: PATIENCE_MS });
    };
    try {
      const [first, second] = clients.map(({ fileSystem }) => fileSystem);
      await visit("file/%2Flock");
      await page.waitForSelector("text=Nobody has /lock open");
      const writer = await first?.open("/lock", { access: "write" });
      await writer?.write(new Uint8Array(10), 0);
      await show("Open by 1");
      expect((await rows()).map((row) => row.split("\t").slice(4))).toEqual([["exclusive", "0", "1"]]);
      const reader = await second?.open("/lock", { access: "read" });
      await show("Open by 2");
      const cells = (await rows()).map((row) => row.split("\t"));
      expect(cells.map((row) => row.slice(4)).sort()).toEqual([
        ["shared", "0", "1"],
        ["shared", "1", "0"],
      ]);
      expect(cells.map(([, host, program]) => [host, program])).toEqual([
        [hostname(), "library"],
        [hostname(), "library"],
      ]);
      const { output } = await harness.run(["file-info", "-p", "/lock"]);
      expect(output).toMatch(/Open: client #\d+ \(.*, library\) has the lease shared; reading 0, writing 1/);
      await reader?.close();
      await writer?.close();
      await show("Nobody has /lock open");
    } finally {
      for (const client of clients) await client.close();
    }
  });

  test("lets those act who know the password of the cluster", async () => {
    await visit("manage");
    for (const [password, answer] of [
      ["guess", "this is not the password"],
      [await harness.lab.password(), "You may act"],
    ] as const) {
      await page.fill("[name=password]", password);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`#said:has-text("${answer}")`, { timeout: PATIENCE_MS });
    }
    await page.fill("[data-type=set-config] [name=name]", "mds.wd.offline_tout");
    await page.fill("[data-type=set-config] [name=value]", "600000");
    await page.keyboard.press("Enter");
    await page.waitForSelector('#said:has-text("mds.wd.offline_tout=600000")', { timeout: PATIENCE_MS });
    expect((await harness.run(["get-config", "mds.wd.offline_tout"])).output).toContain(
      "mds.wd.offline_tout=600000",
    );
  });

  test("is served by a command too, which only shows", async () => {
    const shown = await (await fetch(`http://${other}/api/status`)).json();
    expect(shown).toMatchObject({ status: { clusterName: "lab" } });
    expect((await fetch(`http://${other}/api/act`, { method: "POST" })).status).toBe(405);
  });

  test("is used with the keyboard alone, and fits on a phone", async () => {
    await visit("");
    // Who has gone to another page is in its content; who has just come begins at the top.
    await page.reload();
    await page.waitForSelector("main section");
    for (const words of ["Skip to the content", "pstorage", "Overview", "Servers"]) {
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.textContent")).toBe(words);
    }
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Disks by host");
    await page.setViewportSize({ width: 390, height: 800 });
    for (const hash of ["", "servers", "events", "manage"]) {
      await visit(hash);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    }
  });

  test("keeps the place of whoever walks with the keyboard while it shows what is new", async () => {
    await page.setViewportSize({ width: 1200, height: 900 });
    await visit("servers");
    await page.focus("main .host a >> nth=1");
    const place = "document.activeElement.closest('.host') && document.activeElement.getAttribute('href')";
    const before = await page.evaluate(place);
    expect(before).toMatch(/^#.cs.102\d$/);
    await page.evaluate("void (document.querySelector('main .host').dataset.old = 'yes')");
    await page.waitForSelector("main .host[data-old]", { state: "detached", timeout: PATIENCE_MS });
    expect(await page.evaluate(place)).toBe(before);
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Its events");
  });

  test("has disks by what fails together, and a page for each file that can be linked to", async () => {
    await visit("servers");
    expect(await page.locator(".rack").count()).toBe(1);
    expect(await page.textContent(".rack")).toMatch(/Room 0, row 0, rack 0\s*3 of 3 disks active on 3 hosts/);
    await visit("file/%2Flock");
    await page.waitForSelector("text=chunks of /lock");
    expect(await page.inputValue("[name=path]")).toBe("/lock");
  });

  test("has names for everything that is used, and letters that can be told from what is behind them", async () => {
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const hash of ["", "servers", "clients", "events", "file", "manage"]) {
        await visit(hash);
        expect(await page.evaluate(UNNAMED), hash).toEqual([]);
        expect(await page.evaluate(PALE), `${scheme} ${hash}`).toEqual([]);
      }
    }
  });

  test("says that the cluster does not answer, and goes on when it does", async () => {
    await visit("");
    await harness.lab.kill("mds", 1);
    await page.waitForSelector("#trouble:not([hidden])", { timeout: PATIENCE_MS });
    expect(await page.textContent("#trouble")).toContain("what you see is old");
    await harness.lab.start();
    await page.waitForSelector("#trouble", { state: "hidden", timeout: PATIENCE_MS });
    // The browser notes each answer that is no success.
    const expected = /status of 40[14]|ERR_CONNECTION_\w+/;
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
