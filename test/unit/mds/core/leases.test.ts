import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import type { Outcome } from "../../../../src/mds/core/command.js";
import { heldAttributes } from "../../../../src/mds/core/queries.js";
import {
  type Access,
  FILE_BYTES_MAX,
  type InodeNumber,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let ann: SessionId;
let bob: SessionId;
let cyd: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  ann = world.session();
  bob = world.session();
  cyd = world.session();
  ino = world.create(ann, "f").attributes.ino;
});

const tryOpen = (sessionId: SessionId, access: Access): string =>
  codeOf(world.mutate(sessionId, "open", { ino, access }));
const close = (sessionId: SessionId, access: Access): string =>
  codeOf(world.mutate(sessionId, "close", { ino, access }));
const leaseOf = (sessionId: SessionId): string => world.tables.opens.get(ino, sessionId)?.lease ?? "closed";
const sequenceOf = (sessionId: SessionId): number =>
  world.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;
const recalls = (): unknown[] =>
  world.effects.flatMap((effect) =>
    effect.type === "recallLease" ? [[effect.sessionId, effect.to, effect.leaseSequence]] : [],
  );
const isWoken = (): boolean =>
  world.effects.some((e) => e.type === "wake" && e.key.type === "lease" && e.key.ino === ino);

describe("what an open earns", () => {
  test("readers alone read, a writer alone is exclusive", () => {
    assert.equal(world.open(ann, ino, "read").kind, "read");
    assert.equal(world.open(bob, ino, "read").kind, "read");
    close(ann, "read");
    close(bob, "read");
    assert.equal(world.open(cyd, ino, "write").kind, "exclusive");
  });

  test("a further open of the same session keeps the lease and its sequence", () => {
    const first = world.open(ann, ino, "write");
    assert.deepEqual(world.open(ann, ino, "read"), first);
    assert.deepEqual(world.open(ann, ino, "write"), first);
  });

  test("a reader that is alone and begins to write goes up under a new sequence", () => {
    const read = world.open(ann, ino, "read");
    const exclusive = world.open(ann, ino, "write");
    assert.equal(exclusive.kind, "exclusive");
    assert.ok(exclusive.sequence > read.sequence);
  });

  test("the sequences of all leases are different", () => {
    assert.notEqual(world.open(ann, ino, "read").sequence, world.open(bob, ino, "read").sequence);
  });

  test("only regular files are opened", () => {
    const directory = world.mkdir(ann, "d");
    assert.equal(codeOf(world.mutate(ann, "open", { ino: directory, access: "read" })), "is_directory");
    assert.equal(codeOf(world.mutate(ann, "open", { ino: 99 as InodeNumber, access: "read" })), "not_found");
  });
});

describe("recall", () => {
  test("a writer's exclusive lease comes down to shared before another writer opens", () => {
    const { sequence } = world.open(ann, ino, "write");
    const open = world.next(bob, "open", { ino, access: "write" });
    assert.equal(codeOf(world.apply(open).outcome), "wait");
    assert.deepEqual(recalls(), [[ann, "shared", sequence]]);
    assert.equal(codeOf(world.report(ann, ino, 0, "shared")), "ok");
    assert.ok(isWoken());
    assert.equal(codeOf(world.apply(open).outcome), "ok");
    assert.deepEqual([leaseOf(ann), leaseOf(bob)], ["shared", "shared"]);
    assert.equal(sequenceOf(ann), sequence);
  });

  test("a waiting open that is proposed again recalls nobody twice", () => {
    world.open(ann, ino, "write");
    const open = world.next(bob, "open", { ino, access: "read" });
    world.apply(open);
    world.apply(open);
    assert.deepEqual(recalls(), []);
  });

  test("an exclusive lease whose writers have closed comes down to read for a reader", () => {
    world.open(ann, ino, "write");
    world.open(ann, ino, "read");
    close(ann, "write");
    assert.equal(leaseOf(ann), "exclusive");
    assert.equal(tryOpen(bob, "read"), "wait");
    assert.deepEqual(recalls(), [[ann, "read", sequenceOf(ann)]]);
    world.report(ann, ino, 10, "read");
    assert.equal(world.open(bob, ino, "read").kind, "read");
  });

  test("all readers come down to shared before one begins to write", () => {
    for (const sessionId of [ann, bob, cyd]) world.open(sessionId, ino, "read");
    assert.equal(tryOpen(ann, "write"), "wait");
    assert.deepEqual(
      recalls().map((recall) => (recall as unknown[])[0]),
      [bob, cyd],
    );
    world.report(bob, ino, 0, "shared");
    assert.equal(tryOpen(ann, "write"), "wait");
    world.report(cyd, ino, 0, "shared");
    assert.equal(world.open(ann, ino, "write").kind, "shared");
  });

  test("the own opens of a session wait while its lease is being recalled", () => {
    world.open(ann, ino, "write");
    tryOpen(bob, "write");
    assert.equal(tryOpen(ann, "read"), "wait");
    world.report(ann, ino, 0, "shared");
    assert.equal(tryOpen(ann, "read"), "ok");
  });

  test("closing is as good as an answer", () => {
    world.open(ann, ino, "write");
    assert.equal(tryOpen(bob, "write"), "wait");
    close(ann, "write");
    assert.ok(isWoken());
    assert.equal(world.open(bob, ino, "write").kind, "exclusive");
  });

  test("a session that ends is as good as an answer", () => {
    world.open(ann, ino, "write");
    assert.equal(tryOpen(bob, "write"), "wait");
    world.endSession(ann);
    assert.ok(isWoken());
    assert.equal(world.open(bob, ino, "write").kind, "exclusive");
  });

  test("whoever stays behind shared goes up with its next open", () => {
    world.open(ann, ino, "write");
    tryOpen(bob, "write");
    const shared = sequenceOf(ann);
    world.report(ann, ino, 0, "shared");
    world.open(bob, ino, "write");
    close(bob, "write");
    assert.equal(leaseOf(ann), "shared");
    const lease = world.open(ann, ino, "read");
    assert.equal(lease.kind, "exclusive");
    assert.ok(lease.sequence > shared);
  });
});

describe("one writer", () => {
  test("a second writer is refused where the first demands to be the only one", () => {
    world.open(ann, ino, "exclusive");
    assert.equal(tryOpen(bob, "write"), "lease_conflict");
    assert.equal(tryOpen(bob, "exclusive"), "lease_conflict");
    assert.equal(tryOpen(ann, "write"), "lease_conflict");
    assert.deepEqual(recalls(), []);
  });

  test("who demands to be the only writer is refused beside another", () => {
    world.open(ann, ino, "write");
    assert.equal(tryOpen(bob, "exclusive"), "lease_conflict");
  });

  test("readers are let in beside the only writer", () => {
    world.open(ann, ino, "exclusive");
    assert.equal(tryOpen(bob, "read"), "wait");
    world.report(ann, ino, 0, "shared");
    assert.equal(world.open(bob, ino, "read").kind, "shared");
  });

  test("the attribute `exclusive` refuses a second writing session, and its truncation", () => {
    world.mutate(ann, "setStorage", { ino, exclusive: true });
    world.open(ann, ino, "write");
    assert.equal(tryOpen(ann, "write"), "ok");
    assert.equal(tryOpen(bob, "write"), "lease_conflict");
    assert.equal(codeOf(world.mutate(bob, "truncate", { ino, sizeBytes: 0 })), "lease_conflict");
    close(ann, "write");
    close(ann, "write");
    assert.equal(tryOpen(bob, "write"), "ok");
  });
});

describe("room for appends", () => {
  const extend = (
    sessionId: SessionId,
    lengthBytes: number,
    leaseSequence = sequenceOf(sessionId),
  ): Outcome => world.mutate(sessionId, "extend", { ino, leaseSequence, lengthBytes });
  const offsetOf = (outcome: Outcome): number => {
    assert.ok(outcome.type === "reply" && outcome.reply.type === "extended", JSON.stringify(outcome));
    return outcome.reply.body.offset;
  };
  const share = (): void => {
    world.open(ann, ino, "write");
    tryOpen(bob, "write");
    world.report(ann, ino, 10, "shared");
    world.open(bob, ino, "write");
  };

  test("begins where the last one ended, whoever asks, and the size grows with it", () => {
    share();
    assert.deepEqual([extend(ann, 5), extend(bob, 7), extend(ann, 1)].map(offsetOf), [10, 15, 22]);
    const { sizeBytes, mtime } = world.stat(ino);
    assert.deepEqual([sizeBytes, mtime], [23, { seconds: world.stampMs / 1000, nanos: 0 }]);
  });

  test("is made once for a request that is repeated", () => {
    share();
    const command = world.next(ann, "extend", { ino, leaseSequence: sequenceOf(ann), lengthBytes: 5 });
    assert.deepEqual(
      [world.apply(command), world.apply(command)].map(({ outcome }) => offsetOf(outcome)),
      [10, 10],
    );
    assert.equal(world.stat(ino).sizeBytes, 15);
  });

  test("is refused to readers, to old leases, and to the exclusive holder, who knows the end better", () => {
    const { sequence } = world.open(ann, ino, "write");
    assert.equal(codeOf(extend(ann, 5)), "invalid");
    close(ann, "write");
    share();
    assert.equal(codeOf(extend(ann, 5, sequence)), "lease_lost");
    world.open(cyd, ino, "read");
    assert.equal(codeOf(extend(cyd, 5)), "lease_lost");
    assert.equal(
      codeOf(world.mutate(cyd, "extend", { ino, leaseSequence: 0, lengthBytes: 5 })),
      "lease_lost",
    );
    assert.equal(world.stat(ino).sizeBytes, 10);
  });

  test("ends where files end", () => {
    share();
    assert.equal(codeOf(extend(ann, FILE_BYTES_MAX - 9)), "file_too_large");
    for (const wrong of [-1, 1.5, Number.NaN]) assert.equal(codeOf(extend(ann, wrong)), "invalid");
    assert.equal(offsetOf(extend(ann, FILE_BYTES_MAX - 10)), 10);
  });

  test("waits until it is known how far a writer that died has written", () => {
    world.addServer(1);
    share();
    const allocate = world.next(ann, "allocateChunk", { ino, leaseSequence: sequenceOf(ann), index: 0 });
    world.apply(allocate);
    world.installAll();
    assert.equal(codeOf(world.apply(allocate).outcome), "ok");
    world.endSession(ann);
    const command = world.next(bob, "extend", { ino, leaseSequence: sequenceOf(bob), lengthBytes: 5 });
    assert.equal(codeOf(world.apply(command).outcome), "wait");
    world.installAll(500);
    assert.equal(offsetOf(world.apply(command).outcome), 500);
  });
});

describe("attributes held elsewhere", () => {
  test("the exclusive holder is asked, by everybody but itself", () => {
    const { sequence } = world.open(ann, ino, "write");
    assert.equal(heldAttributes(world.tables, ino, ann), undefined);
    const ask = { type: "ask", sessionId: ann, ino, leaseSequence: sequence };
    assert.deepEqual(heldAttributes(world.tables, ino, bob), ask);
  });

  test("its answer keeps the lease and tells the leader", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 77, "exclusive", 5);
    assert.deepEqual(world.effects, [{ type: "attributesReported", ino, sessionId: ann, ask: 5 }]);
    assert.deepEqual([leaseOf(ann), world.stat(ino).sizeBytes], ["exclusive", 77]);
  });

  test("a report that no ask called for is no answer", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 77);
    assert.deepEqual(world.effects, []);
  });

  test("while the holder is coming down, who asks waits for that", () => {
    world.open(ann, ino, "write");
    tryOpen(bob, "read");
    assert.deepEqual(heldAttributes(world.tables, ino, cyd), { type: "wait", key: { type: "lease", ino } });
  });

  test("nobody is asked about files that are read or shared", () => {
    world.open(ann, ino, "read");
    assert.equal(heldAttributes(world.tables, ino, bob), undefined);
  });

  test("an explicit mtime waits until nobody caches another", () => {
    world.open(ann, ino, "write");
    const mtime = { seconds: 5, nanos: 0 };
    const set = world.next(bob, "setAttributes", { ino, mtime, atimeNow: false, mtimeNow: false });
    assert.equal(codeOf(world.apply(set).outcome), "wait");
    world.report(ann, ino, 3, "shared");
    assert.equal(codeOf(world.apply(set).outcome), "ok");
    assert.deepEqual(world.stat(ino).mtime, mtime);
  });
});

describe("revoke", () => {
  test("ends the leases of the others at once and for good", () => {
    world.open(ann, ino, "exclusive");
    const lost = sequenceOf(ann);
    assert.equal(codeOf(world.mutate(bob, "revoke", { ino })), "ok");
    assert.deepEqual(recalls(), [[ann, "none", lost]]);
    const body = { ino, leaseSequence: lost, sizeBytes: 9, mtime: { seconds: 1, nanos: 0 } };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "lease_lost");
    assert.equal(world.open(bob, ino, "exclusive").kind, "exclusive");
  });

  test("a revoked writer that opens again for reading is no writer", () => {
    world.open(ann, ino, "write");
    world.mutate(bob, "revoke", { ino });
    world.open(bob, ino, "exclusive");
    assert.equal(tryOpen(ann, "read"), "wait");
    world.report(bob, ino, 0, "shared");
    const { sequence } = world.open(ann, ino, "read");
    const body = { ino, leaseSequence: sequence, index: 0 };
    assert.equal(codeOf(world.mutate(ann, "allocateChunk", body)), "lease_lost");
  });

  test("revoked opens keep the file alive until they are closed", () => {
    world.open(ann, ino, "write");
    world.mutate(bob, "revoke", { ino });
    world.mutate(bob, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.notEqual(world.tables.inodes.get(ino), undefined);
    assert.equal(close(ann, "write"), "ok");
    assert.equal(world.tables.inodes.get(ino), undefined);
  });

  test("the own lease stays", () => {
    world.open(ann, ino, "write");
    world.mutate(ann, "revoke", { ino });
    assert.equal(leaseOf(ann), "exclusive");
  });
});

test("a close that was never opened is refused", () => {
  world.open(ann, ino, "read");
  assert.equal(close(ann, "write"), "lease_lost");
  assert.equal(close(bob, "read"), "lease_lost");
  assert.equal(close(ann, "toString" as Access), "lease_lost");
});

describe("files that are opened ahead", () => {
  const ahead = (sessionId: SessionId, ...inos: number[]): unknown[] => {
    const files = inos.map((one) => ({ ino: one as InodeNumber }));
    const outcome = world.mutate(sessionId, "openAhead", { files });
    assert.ok(outcome.type === "reply" && outcome.reply.type === "openedAhead", codeOf(outcome));
    return outcome.reply.body.files.map(({ attributes, lease }) => [attributes.ino, lease.kind]);
  };

  test("are open for reading, as if each had been opened by itself", () => {
    const other = world.create(ann, "g").attributes.ino;
    world.open(bob, ino, "read");

    assert.deepEqual(ahead(ann, ino, other), [
      [ino, "read"],
      [other, "read"],
    ]);
    assert.equal(leaseOf(ann), "read");
    assert.equal(close(ann, "read"), "ok");
    assert.equal(leaseOf(ann), "closed");
  });

  test("are left out if somebody writes them, and nobody is asked to come down", () => {
    world.open(bob, ino, "write");

    assert.deepEqual(ahead(ann, ino), []);
    assert.deepEqual(recalls(), []);
    assert.deepEqual([leaseOf(ann), leaseOf(bob)], ["closed", "exclusive"]);
  });

  test("are left out if they are open already, are no files, or are not there", () => {
    world.open(ann, ino, "write");

    assert.deepEqual(ahead(ann, ino, ROOT_INODE, 99_999), []);
    assert.equal(leaseOf(ann), "exclusive");
  });

  test("are left out while a writer waits for the readers", () => {
    world.open(bob, ino, "read");
    assert.equal(tryOpen(cyd, "write"), "wait");

    assert.deepEqual(ahead(ann, ino), []);
  });

  test("are not too many", () => {
    const inos = Array.from({ length: 65 }, () => ino);
    const files = inos.map((one) => ({ ino: one }));

    assert.equal(codeOf(world.mutate(ann, "openAhead", { files })), "invalid");
  });
});
