import { expect, test } from "vitest";
import { AttributeAsks } from "../../../src/mds/attribute-asks.js";
import { inodeNumber, sessionId } from "../../../src/meta/index.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

const ANN = sessionId(1);
const INO = inodeNumber(5);

class Leader {
  readonly clock = new ManualClock();
  readonly asks: AttributeAsks;
  /** Numbers that were sent. */
  readonly sent: number[] = [];
  readonly ended: string[] = [];

  constructor(term: number) {
    this.asks = new AttributeAsks(this.clock, term);
  }

  ask(name: string): number {
    void this.asks
      .ask(ANN, INO, 1000, (ask) => this.sent.push(ask))
      .then((isAnswered) => this.ended.push(`${name} ${isAnswered}`));
    return this.sent.at(-1) ?? 0;
  }
}

test("a report answers the ask that it names, and no other", async () => {
  const leader = new Leader(1);
  const first = leader.ask("first");
  const second = leader.ask("second");
  leader.asks.reported(ANN, INO, second);
  leader.asks.reported(ANN, INO, second);
  leader.asks.reported(ANN, inodeNumber(6), first);
  leader.asks.reported(sessionId(2), INO, first);
  await settle();
  expect(leader.ended).toEqual(["second true"]);
  leader.asks.reported(ANN, INO, first);
  await settle();
  expect(leader.ended).toEqual(["second true", "first true"]);
});

test("a late answer to an ask that was given up does not count for a newer one", async () => {
  const leader = new Leader(1);
  const first = leader.ask("first");
  leader.clock.advance(11_000);
  await settle();
  const second = leader.ask("second");
  leader.asks.reported(ANN, INO, first);
  await settle();
  expect(leader.ended).toEqual(["first false"]);
  leader.asks.reported(ANN, INO, second);
  await settle();
  expect(leader.ended).toEqual(["first false", "second true"]);
});

test("an answer to an earlier leader's ask is none to this one's", async () => {
  const [old, next] = [new Leader(3), new Leader(4)];
  const late = [1, 2, 3].map(() => old.ask("old"));
  next.ask("next");
  for (const ask of late) next.asks.reported(ANN, INO, ask);
  await settle();
  expect(next.ended).toEqual([]);
});
