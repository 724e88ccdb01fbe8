import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Guide } from "./guide/guide.js";
import { CHECKOUT } from "./guide/pages.js";
import { noPrivateMachines } from "./guide/private-machine.js";
import { QUICK_PAGES, SET_UP } from "./guide/stories.js";
import { ClusterDirectory } from "./harness.js";
import { Machines } from "./ordeal/machines.js";
import { TEST_MS } from "./ordeal/patience.js";

/** Three machines with nothing but a checkout become a mounted cluster, by the commands of the README and of docs/operating/set-up.md. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

/** From nothing to a cluster with files in it. */
const MINUTES_MAX = 5;
const why = noPrivateMachines();
if (why !== undefined) process.stderr.write(`skipped: ${why}\n`);

let directory: ClusterDirectory;
let machines: Machines;
let guide: Guide;

beforeAll(async () => {
  if (why !== undefined) return;
  directory = await ClusterDirectory.make();
  machines = new Machines(directory.path, 3);
  guide = await Guide.start(machines);
});

afterAll(async () => {
  if (why !== undefined) return;
  if (process.env["PSTORAGE_TRANSCRIPT"] !== undefined) process.stderr.write(`${guide.transcript()}\n`);
  await guide.close();
  machines.remove();
  await directory.remove([]);
});

describe.skipIf(why !== undefined)("three machines", () => {
  test.each(QUICK_PAGES.filter((story) => story !== SET_UP))("do what $page says", async (story) => {
    await guide.read(story);
  });

  test(`become a mounted cluster by the guide, in under ${MINUTES_MAX} minutes`, async () => {
    const began = Date.now();
    await guide.read(SET_UP);
    await guide.do(3, "mkdir -p /mnt/stor1 && pstorage-mount -c stor1 /mnt/stor1");
    await guide.do(3, `cp -r ${CHECKOUT}/docs /mnt/stor1 && diff -r ${CHECKOUT}/docs /mnt/stor1/docs`);
    await guide.do(3, "umount /mnt/stor1");
    expect((Date.now() - began) / 60_000).toBeLessThan(MINUTES_MAX);
  });

  test("a machine that knows only the name of the cluster finds it on the network", async () => {
    const asStranger = "export PSTORAGE_ROOT=/root/stranger; mkdir -p $PSTORAGE_ROOT;";
    const found = await guide.do(2, `${asStranger} pstorage discover --json`);
    expect(JSON.parse(found)).toEqual([
      {
        cluster: "stor1",
        foundBy: "mDNS",
        mds: ["10.37.130.1:2510", "10.37.130.2:2510", "10.37.130.3:2510"],
      },
    ]);
    await guide.type(2, `${asStranger} pstorage -c stor1 auth-node; pstorage -c stor1 stat | grep healthy`);
    const none = await guide.reader(2).machine.run(`${asStranger} pstorage -c other discover -t 1`);
    expect(none.status).toBe(1);
    expect(none.errors).toContain('nothing of cluster "other" found');
  });
});
