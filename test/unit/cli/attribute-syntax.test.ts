import { expect, test } from "vitest";
import { attributeLines, parseAttributes } from "../../../src/cli/attribute-syntax.js";
import { type Attributes, inodeNumber } from "../../../src/meta/index.js";

test("replicas are written N:M, N/X or N", () => {
  expect(parseAttributes(["replicas=3:2"])).toEqual({ replicas: 3, replicasMinimum: 2 });
  expect(parseAttributes(["replicas=3/2"])).toEqual({ replicas: 3, replicasMinimum: 1 });
  expect(parseAttributes(["replicas=3"])).toEqual({ replicas: 3, replicasMinimum: 2 });
  expect(parseAttributes(["replicas=1"])).toEqual({ replicas: 1, replicasMinimum: 1 });
});

test("several attributes go into one change", () => {
  expect(parseAttributes(["replicas=2:1", "tier=1", "failure-domain=rack", "chunk-size=64M"])).toEqual({
    replicas: 2,
    replicasMinimum: 1,
    tier: 1,
    failureDomain: "rack",
    chunkBytes: 64 * 1024 * 1024,
  });
});

test("what makes no sense is refused with the way to write it", () => {
  const wrong = [
    "replicas=0",
    "replicas=2:3",
    "replicas=65",
    "replicas=3:",
    "replicas=a",
    "replicas=2/2",
    "replicas=",
  ];
  for (const pair of wrong) expect(() => parseAttributes([pair]), pair).toThrow(/write /);
  expect(() => parseAttributes(["tier=4"])).toThrow("tier=4: it is 0 to 3");
  expect(() => parseAttributes(["failure-domain=galaxy"])).toThrow("disk, host, rack, row, room");
  expect(() => parseAttributes(["chunk-size=1000"])).toThrow("multiple of 4096");
  expect(() => parseAttributes(["chunk-size=4G"])).toThrow("4K to 2G");
  expect(() => parseAttributes(["colour=red"])).toThrow("no attribute");
  expect(() => parseAttributes(["toString=1"])).toThrow("no attribute");
  expect(() => parseAttributes(["encoding=5+2"])).toThrow("not supported yet");
});

test("attributes are shown as the original shows them", () => {
  const time = { seconds: 0, nanos: 0 };
  const attributes: Attributes = {
    ino: inodeNumber(1),
    generation: 1,
    mode: 0o040755,
    linkCount: 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    sizeBytes: 0,
    allocatedBytes: 0,
    atime: time,
    mtime: time,
    ctime: time,
    birthTime: time,
    changeCount: 1,
    storage: {
      replicas: 3,
      replicasMinimum: 2,
      failureDomain: "host",
      tier: 0,
      chunkBytes: 268435456,
      clientSsdCache: true,
      exclusive: false,
    },
  };
  expect(attributeLines("vstorage", "vsto", "/", attributes)).toEqual([
    "Path: 'vstorage://vsto/'",
    "Attributes:",
    "  directory",
    "  client-ssd-cache=1",
    "  replicas=3:2",
    "  failure-domain=host",
    "  tier=0",
    "  chunk-size=268435456",
  ]);
});
