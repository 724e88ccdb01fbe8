import { expect, test } from "vitest";
import type { Attributes, InodeNumber } from "../../../../src/meta/index.js";
import { DirectoryStream } from "../../../../src/mount/core/directory-stream.js";
import { Listings } from "../../../../src/mount/handles/listings.js";
import { NodeTable } from "../../../../src/mount/nodes/node-table.js";

const ino = (value: number): InodeNumber => value as InodeNumber;
const attributes = (value: number, changeCount: number): Attributes =>
  ({ ino: ino(value), changeCount }) as Attributes;

/** Listings over a library that vouches for whatever is not doubted. */
function world() {
  const doubted = new Set<number>();
  const nodes = new NodeTable();
  const inodes = { attributesValidMs: ({ ino: found }: Attributes) => (doubted.has(found) ? 0 : 1000) };
  return { doubted, nodes, listings: new Listings(inodes, nodes) };
}

function listingOf(directory: number, count: number): DirectoryStream {
  const stream = new DirectoryStream(ino(directory), ino(1));
  const entries = Array.from({ length: count }, (_, i) => ({
    name: new TextEncoder().encode(`n${i}`),
    ino: ino(1000 + i),
    mode: 0o100000,
    attributes: attributes(1000 + i, 1),
  }));
  stream.add(entries, true);
  return stream;
}

test("a listing is used again while the directory is vouched for and in the same state", () => {
  const { doubted, nodes, listings } = world();
  nodes.told(attributes(5, 7));
  const stream = listingOf(5, 10);
  listings.remember(ino(5), 7, stream, true);
  expect(listings.find(ino(5), false)).toBe(stream);
  expect(listings.find(ino(5), true)).toBe(stream);
  doubted.add(5);
  expect(listings.stateOf(ino(5))).toBeUndefined();
  expect(listings.find(ino(5), false)).toBeUndefined();
});

test("a listing of another state is forgotten", () => {
  const { nodes, listings } = world();
  nodes.told(attributes(5, 7));
  listings.remember(ino(5), 7, listingOf(5, 10), true);
  nodes.told(attributes(5, 8));
  expect(listings.find(ino(5), false)).toBeUndefined();
  nodes.told(attributes(5, 7));
  expect(listings.find(ino(5), false)).toBeUndefined();
});

test("with attributes it is used only if most of those still hold", () => {
  const { doubted, nodes, listings } = world();
  nodes.told(attributes(5, 7));
  const stream = listingOf(5, 4);
  listings.remember(ino(5), 7, stream, true);
  doubted.add(1000).add(1001);
  expect(listings.find(ino(5), true)).toBe(stream);
  doubted.add(1002);
  expect(listings.find(ino(5), true)).toBeUndefined();
  expect(listings.find(ino(5), false)).toBe(stream);
  listings.remember(ino(5), 7, stream, false);
  doubted.clear();
  expect(listings.find(ino(5), true)).toBeUndefined();
});

test("the one used longest ago goes when there are too many entries, and one too long is not kept", () => {
  const { nodes, listings } = world();
  for (const directory of [5, 6, 7, 8]) nodes.told(attributes(directory, 1));
  listings.remember(ino(5), 1, listingOf(5, 20_000), false);
  listings.remember(ino(6), 1, listingOf(6, 20_000), false);
  listings.find(ino(5), false);
  listings.remember(ino(7), 1, listingOf(7, 20_000), false);
  listings.remember(ino(8), 1, listingOf(8, 60_000), false);
  const kept = [5, 6, 7, 8].filter((directory) => listings.find(ino(directory), false) !== undefined);
  expect(kept).toEqual([5, 7]);
});
