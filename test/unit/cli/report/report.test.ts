import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { machineHost } from "../../../../src/cli/host.js";
import { collectReport } from "../../../../src/cli/report/collect-report.js";
import { temporaryRoot } from "../temporary-root.js";

test("a report of a host that reaches nobody has what there is, says what is not, and never a key", async () => {
  const root = await temporaryRoot();
  const host = machineHost(root);
  const directory = join(root, "cs1");
  await mkdir(join(directory, "logs"), { recursive: true });
  await writeFile(join(directory, "identity.json"), JSON.stringify({ csId: 1025 }));
  await writeFile(join(directory, "logs/log"), "a line of the log\n");
  await host.files.addService({ kind: "cs", clusterName: "stor1", directory });
  await host.files.addBootstrapAddress("stor1", "127.0.0.1:9");
  await writeFile(host.files.path("etc/pstorage/clusters/stor1/auth_digest.key"), "SECRET\n");
  const parts = new Map(
    (await collectReport(host, "stor1")).map(({ name, bytes }) => [name, bytes.toString()]),
  );
  expect(parts.get("logs/cs-1025/log")).toBe("a line of the log\n");
  expect(parts.get("host/bs.list")).toBe("127.0.0.1:9\n");
  expect(parts.get("host/services.json")).toContain('"id": 1025');
  expect(parts.get("host/doctor.txt")).toContain("[FAIL] CS#1025");
  expect(parts.get("host/location.missing")).toContain("ENOENT");
  expect(parts.has("cluster/unreachable.txt")).toBe(true);
  expect([...parts.values()].join("\n")).not.toContain("SECRET");
});
