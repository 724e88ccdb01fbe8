import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { credentialPath } from "../../../../src/auth/index.js";
import type { Finding } from "../../../../src/cli/doctor/finding.js";
import { FLUSH_MS_HONEST, hostFindings, measureFlush } from "../../../../src/cli/doctor/host-findings.js";
import { nameFindings } from "../../../../src/cli/doctor/name-findings.js";
import { type Host, machineHost } from "../../../../src/cli/host.js";
import { runCommand } from "../fake-terminal.js";
import { temporaryRoot } from "../temporary-root.js";

/** What the doctor sees of a host, with the thing that is wrong brought about. */

const PORT = 23_000 + 4 * (process.pid % 500);
const DAY_MS = 86_400_000;

/** Nothing is asked of the DNS of this machine, or its network. */
async function bareHost(srv: readonly string[] = []): Promise<Host> {
  const search = { dns: async () => srv, multicast: async () => [] };
  return { ...machineHost(await temporaryRoot()), search };
}

/** A host that made the first MDS of the cluster c1; nothing runs. */
async function member(): Promise<Host> {
  const host = await bareHost();
  const line = `-c c1 make-mds -I -P -a 127.0.0.1:${PORT} -r ${host.files.path("mds")}`;
  const env = { PSTORAGE_ROOT: host.files.root };
  expect(await runCommand(line.split(" "), { input: "secret\n", env })).toMatchObject({ status: 0 });
  return host;
}

/** `SEVERITY subject: text`, and what mends it. */
const said = (findings: readonly Finding[], subject: string): string[] =>
  findings
    .filter((finding) => finding.subject === subject)
    .map(({ severity, text, remedy }) => `${severity}: ${text} -> ${remedy}`);

async function found(host: Host, subject: string): Promise<string> {
  return said(await hostFindings(host, "c1"), subject).join("\n");
}

/** That host on another day. */
function inDays(host: Host, days: number): Host {
  const { clock } = host.world;
  const later = Object.assign(Object.create(clock), { wallMs: () => clock.wallMs() + days * DAY_MS });
  return { ...host, world: { ...host.world, clock: later } };
}

describe("the doctor finds on a host", () => {
  test("a certificate that is missing, ends soon, has ended, or that others may read", async () => {
    expect(await found(await bareHost(), "certificate")).toBe(
      'fail: this host is no member of "c1" -> pstorage -c c1 auth-node',
    );
    const host = await member();
    const [, days] = /good for (\d+) days/.exec(await found(host, "certificate")) ?? [];
    expect(Number(days)).toBeGreaterThan(30);
    const left = (count: number): Promise<string> => found(inDays(host, Number(days) - count), "certificate");
    expect(await left(3)).toMatch(/^warn: it expires in [23] days -> pstorage -c c1 auth-node$/);
    expect(await left(-2)).toMatch(/^fail: it has expired: .* -> pstorage -c c1 auth-node$/);
    const path = credentialPath(host.files.root, "c1");
    await chmod(path, 0o644);
    expect(await found(host, "certificate")).toContain(
      `fail: others may read ${path}: it holds the key of this host -> chmod 600 ${path}`,
    );
  });

  test("lists that name nobody, or only those who do not answer", async () => {
    const host = await bareHost();
    expect(await found(host, "bs.list")).toContain("warn: it names no MDS: this host depends on DNS");
    await host.files.addBootstrapAddress("c1", `127.0.0.1:${PORT}`);
    expect(await found(host, "bs.list")).toContain(`fail: nothing listens at 127.0.0.1:${PORT}`);
    const server = createServer().listen(PORT + 3, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    await host.files.addBootstrapAddress("c1", `127.0.0.1:${PORT + 2}`);
    expect(await found(host, "bs.list")).toContain(`warn: nothing listens at 127.0.0.1:${PORT} `);
    await host.files.removeBootstrapAddress("c1", `127.0.0.1:${PORT}`);
    expect(await found(host, "bs.list")).toContain("ok: all 1 MDSs in it can be reached");
  });

  test("names that lead nowhere, in bs.list and in SRV records", async () => {
    const known: Readonly<Record<string, readonly string[]>> = { "mds1.lan": ["10.0.0.1"] };
    const names = async (host: Host): Promise<string[]> =>
      said(await nameFindings(host, "c1", async (name) => known[name] ?? []), "names");
    expect(await names(await bareHost())).toEqual([]);
    const host = await bareHost(["mds1.lan:2510", "mds3.lan:2510"]);
    await host.files.addBootstrapAddress("c1", "mds1.lan:2510");
    await host.files.addBootstrapAddress("c1", "10.0.0.2:2510");
    expect(await names(host)).toEqual([
      expect.stringMatching(
        /^warn: the SRV records of _pstorage\._tcp\.c1 name mds3\.lan, .* -> getent hosts mds3/,
      ),
    ]);
    expect(await names({ ...host, search: { ...host.search, dns: async () => [] } })).toEqual([
      "ok: mds1.lan: all known -> undefined",
    ]);
    await host.files.addBootstrapAddress("c1", "mds2.lan:2510");
    expect((await names(host))[0]).toMatch(
      /^warn: nobody knows the host mds2\.lan that bs\.list names -> getent/,
    );
    const lost = await bareHost();
    await lost.files.addBootstrapAddress("c1", "mds2.lan:2510");
    expect((await names(lost))[0]).toMatch(/^fail: nobody knows the host mds2\.lan/);
    // By /etc/hosts and DNS of this machine.
    await lost.files.addBootstrapAddress("c1", "localhost:2510");
    expect(said(await nameFindings(lost, "c1"), "names")).toEqual([expect.stringContaining("mds2.lan")]);
  });

  test("daemons that do not run, or may open too few files", async () => {
    const host = await member();
    const directory = host.files.path("mds");
    expect(await found(host, "MDS#1")).toContain(`fail: it does not run -> pstorage-mdsd start ${directory}`);
    // What tells a daemon from any other process is that its directory is among its arguments.
    const script = `ulimit -n 1024; exec "${process.execPath}" -e "setInterval(() => 0, 1000)" "${directory}"`;
    const daemon = spawn("sh", ["-c", script], { stdio: "ignore" });
    onTestFinished(() => void daemon.kill("SIGKILL"));
    await mkdir(host.files.path("run/pstorage"), { recursive: true });
    await writeFile(host.files.path("run/pstorage/mdsd.c1.1.pid"), `${daemon.pid}\n`);
    await expect
      .poll(() => found(host, "MDS#1"), { timeout: 10_000 })
      .toContain("warn: it may open 1024 files at once only -> pstorage install-services");
  });

  test("repositories that are gone, in memory, or that share a disk", async () => {
    const host = await member();
    for (const id of [1025, 1026]) {
      const directory = host.files.path(`cs${id}`);
      await mkdir(directory);
      await writeFile(join(directory, "identity.json"), JSON.stringify({ csId: id }));
      await host.files.addService({ kind: "cs", clusterName: "c1", directory });
    }
    const disks = await found(host, "disks");
    expect(disks).toContain(
      "warn: CS#1025, CS#1026 share one disk: it is counted several times, and lost at once",
    );
    expect(disks).toContain(
      "warn: an MDS shares the disk of CS#1025, CS#1026: both wait for it -> pstorage make-mds",
    );
    await rm(host.files.path("cs1025", "identity.json"));
    const all = await hostFindings(host, "c1");
    expect(all.map(({ text, remedy }) => `${text} -> ${remedy}`).join("\n")).toContain(
      "cs1025 is not there -> mount its disk",
    );
    const memory = await mkdtemp("/dev/shm/pstorage-doctor-");
    onTestFinished(() => rm(memory, { recursive: true }));
    await writeFile(join(memory, "identity.json"), JSON.stringify({ csId: 1027 }));
    await host.files.addService({ kind: "cs", clusterName: "c1", directory: memory });
    const inMemory = await found(host, "CS#1027");
    expect(inMemory).toContain(
      "is in memory: everything is lost with the power -> pstorage make-cs on a directory",
    );
  });

  test("a flush that is too fast to be true, as one of memory is", async () => {
    const times: number[] = [];
    for (let i = 0; i < 10; i++) times.push(await measureFlush("/dev/shm"));
    expect(Math.min(...times)).toBeLessThan(FLUSH_MS_HONEST);
  });
});
