import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HostFiles } from "../../../src/cli/host-files.js";
import { retireLocalService } from "../../../src/cli/service-control.js";
import { temporaryRoot } from "./temporary-root.js";

/** A host with chunk servers of `stor1`: their directories, with the ids that these tell; undefined: the disk is gone. */
async function hostWith(ids: Readonly<Record<string, number | undefined>>): Promise<HostFiles> {
  const root = await temporaryRoot();
  const files = new HostFiles(root);
  for (const [name, csId] of Object.entries(ids)) {
    const directory = join(root, name);
    await files.addService({ kind: "cs", clusterName: "stor1", directory });
    if (csId === undefined) continue;
    await mkdir(directory);
    await writeFile(join(directory, "identity.json"), JSON.stringify({ csId }));
  }
  return files;
}

/** The names of the directories that are started still. */
async function left(files: HostFiles): Promise<string[]> {
  return (await files.services("cs")).map(({ directory }) => directory.slice(files.root.length + 1));
}

const CS_1025 = { kind: "cs", clusterName: "stor1", id: 1025 } as const;

describe("a chunk server that the cluster forgot", () => {
  test("is not started again", async () => {
    const files = await hostWith({ a: 1025, b: 1026 });
    await retireLocalService(files, CS_1025, 2);
    expect(await left(files)).toEqual(["b"]);
  });

  test("is not started again when its disk is gone with its id", async () => {
    const files = await hostWith({ a: undefined, b: 1026 });
    expect(await retireLocalService(files, CS_1025, 2)).toMatchObject({ id: 1025 });
    expect(await left(files)).toEqual(["b"]);
  });

  test("may be any of those whose disks are gone: all stay", async () => {
    const files = await hostWith({ a: undefined, b: 1026, c: undefined });
    expect(await retireLocalService(files, CS_1025, 3)).toBeUndefined();
    expect(await left(files)).toEqual(["a", "b", "c"]);
  });

  test("was of another host: a disk that is gone here is not its", async () => {
    const files = await hostWith({ a: undefined, b: 1026 });
    expect(await retireLocalService(files, CS_1025)).toBeUndefined();
    expect(await left(files)).toEqual(["a", "b"]);
  });

  test("had lost its line before: a disk that is gone is another's", async () => {
    const files = await hostWith({ a: undefined });
    expect(await retireLocalService(files, CS_1025, 2)).toBeUndefined();
    expect(await left(files)).toEqual(["a"]);
  });
});
