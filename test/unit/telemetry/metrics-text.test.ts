import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { clientSamples } from "../../../src/client/metrics.js";
import { CS_REQUESTS, csSamples } from "../../../src/cs/metrics.js";
import { processReadings, servePages } from "../../../src/io/real/index.js";
import { clusterSamples, MDS_REQUESTS, mdsSamples } from "../../../src/mds/metrics.js";
import { MOUNT_REQUESTS } from "../../../src/mount/metrics.js";
import {
  counterSample,
  gaugeSample,
  type MetricSample,
  MetricsRegistry,
  metricsText,
  parseMetricsAddress,
  processSamples,
  RequestTimes,
  serveMetrics,
} from "../../../src/telemetry/index.js";
import { STATUS, sampleCs } from "../cli/screen/sample.js";
import { ManualClock } from "../rpc/fake-channel.js";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

/** A family of histograms with one request in it. */
function timesOf(family: ConstructorParameters<typeof RequestTimes>[1]): MetricSample[] {
  const times = new RequestTimes(new ManualClock(), family);
  times.end("read", times.begin());
  return times.samples();
}

/** Everything that any daemon tells. */
const ALL: readonly MetricSample[] = [
  ...[MDS_REQUESTS, CS_REQUESTS, MOUNT_REQUESTS].flatMap(timesOf),
  ...processSamples({ cpuSeconds: 1, residentBytes: 2, startSeconds: 3 }),
  ...mdsSamples({
    isLeader: true,
    hasLeader: true,
    term: 3,
    appliedIndex: 10,
    commitIndex: 11,
    logSeconds: 0.5,
  }),
  ...clusterSamples(STATUS),
  ...csSamples({
    totals: sampleCs().totals,
    queueDepth: 2,
    diskBusySeconds: 1.5,
    totalBytes: 100,
    freeBytes: 40,
    replicaCount: 7,
    isServing: true,
    damagedBlocks: 0,
  }),
  ...clientSamples(
    {
      readBytes: 1,
      readCount: 2,
      writeBytes: 3,
      writeCount: 4,
      syncCount: 5,
      latencyMsSum: 1500,
      latencyMsMax: 9,
    },
    true,
    {
      path: "/ssd/cache",
      megabytes: 10,
      blockBytes: 65536,
      offReason: undefined,
      blocksMax: 160,
      blocksUsed: 2,
      hits: 3,
      misses: 4,
      readBytes: 0,
      storedBytes: 0,
      passedBlocks: 0,
      wrongBlocks: 0,
      failures: 0,
    },
  ),
];
const HISTOGRAMS = ALL.flatMap(({ name, type }) => (type === "histogram" ? [name] : []));
const NAMES = [...new Set(ALL.map(({ name }) => name))].sort();

describe("the text format", () => {
  test("puts the series of one name together under its help and type", () => {
    const samples = [
      counterSample("a_total", "A\nand \\.", 1, { kind: 'x"y\\z\n' }),
      gaugeSample("b_bytes", "B.", 2.5),
      counterSample("a_total", "A\nand \\.", 3, { kind: "w" }),
    ];
    expect(metricsText(samples)).toBe(
      "# HELP a_total A\\nand \\\\.\n# TYPE a_total counter\n" +
        'a_total{kind="x\\"y\\\\z\\n"} 1\na_total{kind="w"} 3\n' +
        "# HELP b_bytes B.\n# TYPE b_bytes gauge\nb_bytes 2.5\n",
    );
  });

  test("adds up the buckets of a histogram", () => {
    const metrics = new MetricsRegistry();
    const wait = metrics.histogram("wait_seconds", "Wait.", [0.1, 1]);
    for (const value of [0.05, 0.5, 7]) wait.observe(value);
    expect(metricsText(metrics.snapshot())).toBe(
      "# HELP wait_seconds Wait.\n# TYPE wait_seconds histogram\n" +
        'wait_seconds_bucket{le="0.1"} 1\nwait_seconds_bucket{le="1"} 2\nwait_seconds_bucket{le="+Inf"} 3\n' +
        "wait_seconds_sum 7.55\nwait_seconds_count 3\n",
    );
  });
});

describe("every metric", () => {
  test.each(NAMES)("%s is documented, and named after its unit", (name) => {
    expect(textOf("docs/operating/metrics.md")).toContain(`\`${name}\``);
    const type = ALL.find((sample) => sample.name === name)?.type;
    expect(name.endsWith("_total")).toBe(type === "counter");
  });

  test("that is documented is told by some daemon", () => {
    const documented = [...textOf("docs/operating/metrics.md").matchAll(/^\| `(\w+)`/gm)].map(
      (found) => found[1],
    );
    expect([...documented].sort()).toEqual(NAMES);
  });

  test("of a dashboard or an alert exists", () => {
    for (const path of ["deploy/grafana-dashboard.json", "deploy/prometheus-alerts.yml"]) {
      const used = [...textOf(path).matchAll(/\b(?:pstorage|process)_[a-z_]+\b/g)].map((found) => found[0]);
      expect(used.length).toBeGreaterThan(5);
      const parts = HISTOGRAMS.flatMap((name) => [`${name}_bucket`, `${name}_sum`, `${name}_count`]);
      expect(used.filter((name) => !NAMES.includes(name) && !parts.includes(name))).toEqual([]);
    }
  });

  test("of our own is on the dashboard", () => {
    const dashboard = textOf("deploy/grafana-dashboard.json");
    expect(() => JSON.parse(dashboard)).not.toThrow();
    expect(NAMES.filter((name) => !dashboard.includes(name))).toEqual([]);
  });

  test("has one help and one type, whoever tells it", () => {
    for (const name of NAMES) {
      const told = ALL.filter((sample) => sample.name === name).map(({ help, type }) => `${type} ${help}`);
      expect(new Set(told).size).toBe(1);
    }
  });
});

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
if (!hasPromtool) process.stderr.write("skipped: promtool is not installed\n");

describe.skipIf(!hasPromtool)("Prometheus itself", () => {
  const promtool = (args: readonly string[], input = ""): { status: number | null; said: string } => {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: root, input, encoding: "utf8" });
    return { status, said: `${stdout}${stderr}` };
  };

  test("takes the alerts, and the configuration that names them", () => {
    for (const [what, path] of [
      ["rules", "deploy/prometheus-alerts.yml"],
      ["config", "deploy/prometheus.yml"],
    ] as const) {
      const { status, said } = promtool(["check", what, path]);
      expect(status, said).toBe(0);
      expect(said).toMatch(/[1-9]\d* rules found/);
    }
  });

  test("fires every alert when it shall, and none when nothing is wrong", () => {
    const cases = "test/unit/telemetry/prometheus-alerts.yml";
    const { status, said } = promtool(["test", "rules", cases]);
    expect(status, said).toBe(0);
    const alerts = [...textOf("deploy/prometheus-alerts.yml").matchAll(/- alert: (\w+)/g)].map(
      ([, name]) => name,
    );
    const fired = [...textOf(cases).matchAll(/alertname: (\w+)\n +exp_alerts:/g)].map(([, name]) => name);
    expect([...new Set(fired)].sort()).toEqual([...alerts].sort());
  });

  test("has nothing to say against any metric", () => {
    expect(promtool(["check", "metrics"], metricsText(ALL))).toEqual({ status: 0, said: "" });
  });
});

describe("the place of metrics", () => {
  test("is the loopback unless somebody says otherwise", () => {
    expect(parseMetricsAddress("9510")).toEqual({ host: "127.0.0.1", port: 9510 });
    expect(parseMetricsAddress("0.0.0.0:9510")).toEqual({ host: "0.0.0.0", port: 9510 });
    expect(parseMetricsAddress("[::1]:9510")).toEqual({ host: "::1", port: 9510 });
    for (const text of ["", "host:", "1.2.3.4:99999", "a b:1"]) {
      expect(() => parseMetricsAddress(text)).toThrow("no place for metrics");
    }
  });

  test("is nowhere without an address, and answers /metrics alone with one", async () => {
    const machine = { servePages, processReadings };
    const samples = async (): Promise<readonly MetricSample[]> => [gaugeSample("b_bytes", "B.", 2)];
    expect(await serveMetrics(machine, undefined, {}, samples)).toBeUndefined();
    const endpoint = await serveMetrics(machine, "0", { cs: "1025" }, samples);
    try {
      const answer = await fetch(`http://${endpoint?.address}/metrics?x=1`);
      expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await answer.text();
      expect(text).toContain('b_bytes{cs="1025"} 2\n');
      expect(text).toMatch(/^process_resident_memory_bytes\{cs="1025"\} \d{6,}$/m);
      expect((await fetch(`http://${endpoint?.address}/`)).status).toBe(404);
      expect((await fetch(`http://${endpoint?.address}/metrics`, { method: "POST" })).status).toBe(405);
    } finally {
      await endpoint?.close();
    }
  });
});
