import { describe, expect, test } from "vitest";
import { failureOf, toUtf8 } from "../../../src/base/index.js";
import { findMds, type Search } from "../../../src/discovery/index.js";
import { SimWorld } from "../../sim/world/index.js";

const NOBODY: Search = { dns: async () => [], multicast: async () => [] };

async function found(
  files: Record<string, string>,
  { bootstrap, search = NOBODY }: { bootstrap?: string; search?: Search } = {},
): Promise<readonly string[] | string> {
  const world = new SimWorld({ seed: 1 });
  const { disk } = world.addHost("me");
  const folder = "/node/etc/pstorage/clusters/mine";
  let result: readonly string[] | string = "nothing";
  const work = async (): Promise<void> => {
    await disk.makeDirectory(folder, "test");
    for (const [name, text] of Object.entries(files))
      await disk.replaceFile(`${folder}/${name}`, toUtf8(text), "test");
    try {
      result = await findMds(disk, { cluster: "mine", root: "/node/", bootstrap }, search);
    } catch (error) {
      result = failureOf(error)?.code ?? String(error);
    }
  };
  await world.simulator.run(work(), "discovery");
  return result;
}

describe("metadata servers are found", () => {
  test("in bs.list and in the misspelled bs_list", async () => {
    expect(await found({ "bs.list": "10.0.0.1\n" })).toEqual(["10.0.0.1:2510"]);
    expect(await found({ bs_list: "10.0.0.2:3000\n" })).toEqual(["10.0.0.2:3000"]);
    expect(await found({ "bs.list": "10.0.0.1\n", bs_list: "10.0.0.2\n10.0.0.1\n" })).toEqual([
      "10.0.0.1:2510",
      "10.0.0.2:2510",
    ]);
  });

  test("where -b says, whatever is written", async () => {
    const given = { bootstrap: "10.0.0.9,10.0.0.8:99" };
    expect(await found({ "bs.list": "10.0.0.1\n" }, given)).toEqual(["10.0.0.9:2510", "10.0.0.8:99"]);
  });

  test("in DNS if no list names any, and on the local network if DNS does not", async () => {
    const both: Search = {
      dns: async (name) => [`${name}.lan:2510`],
      multicast: async () => ["10.0.0.5:2510"],
    };
    expect(await found({ "bs.list": "10.0.0.1\n" }, { search: both })).toEqual(["10.0.0.1:2510"]);
    expect(await found({ "bs.list": "# nobody\n" }, { search: both })).toEqual(["mine.lan:2510"]);
    expect(await found({}, { search: { ...both, dns: async () => [] } })).toEqual(["10.0.0.5:2510"]);
  });

  test("or the caller is told that there are none", async () => {
    expect(await found({})).toBe("not_found");
  });
});
