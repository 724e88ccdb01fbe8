import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { surprisesIn } from "../../../../src/client/core/early-check.js";
import { type ChangeResult, type MetadataReply, replyDigest } from "../../../../src/meta/index.js";
import { CoreWorld } from "../../mds/core/core-world.js";

const world = new CoreWorld();
const { attributes } = world.create(world.session(), "f");
const ENTRY: MetadataReply = { type: "entry", body: { attributes } };
const OK: MetadataReply = { type: "ok", body: {} };
const OTHER: MetadataReply = { type: "entry", body: { attributes: { ...attributes, uid: 5 } } };

const together = (results: readonly ChangeResult[]): MetadataReply => ({
  type: "changedTogether",
  body: { results },
});
const right = (reply: MetadataReply): ChangeResult => ({ detail: "", digest: replyDigest(reply) });

describe("answers that were given early", () => {
  test("are right if the MDS says the same of each", () => {
    assert.deepEqual(surprisesIn([ENTRY, OK], together([right(ENTRY), right(OK)])), []);
    assert.deepEqual(surprisesIn([ENTRY], ENTRY), []);
  });

  test("are wrong if it says something else of one, or nothing", () => {
    assert.equal(surprisesIn([ENTRY, OK], together([right(OTHER), right(OK)])).length, 1);
    assert.equal(surprisesIn([ENTRY, OK], together([right(ENTRY)])).length, 1);
    assert.equal(surprisesIn([ENTRY], OTHER).length, 1);
    assert.equal(surprisesIn([ENTRY, OK], OK).length, 1);
  });

  test("are lost if it refuses one among others", () => {
    const refused: ChangeResult = { failure: "exists", detail: "there is one", digest: 0 };
    const [surprise, ...more] = surprisesIn([ENTRY, OK], together([refused, right(OK)]));
    assert.equal(surprise?.error?.failure.code, "exists");
    assert.equal(more.length, 0);
  });
});
