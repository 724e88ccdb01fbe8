import { expect, test } from "vitest";
import { AttributeAsks } from "../../../src/mds/attribute-asks.js";
import { inodeNumber, sessionId } from "../../../src/meta/index.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

const ANN = sessionId(1);
const INO = inodeNumber(5);

test("every report answers one ask, the oldest first", async () => {
  const asks = new AttributeAsks(new ManualClock());
  const answered: string[] = [];
  let pushes = 0;
  for (const name of ["first", "second"]) {
    void asks.ask(ANN, INO, () => pushes++).then(() => answered.push(name));
  }
  asks.reported(ANN, inodeNumber(6));
  asks.reported(ANN, INO);
  await settle();
  expect(answered).toEqual(["first"]);
  asks.reported(ANN, INO);
  await settle();
  expect(answered).toEqual(["first", "second"]);
  expect(pushes).toBe(2);
});

test("an ask that was lost long ago takes no answer from the next one", async () => {
  const clock = new ManualClock();
  const asks = new AttributeAsks(clock);
  let isAnswered = false;
  void asks.ask(ANN, INO, () => undefined);
  clock.advance(11_000);
  void asks
    .ask(ANN, INO, () => undefined)
    .then(() => {
      isAnswered = true;
    });
  asks.reported(ANN, INO);
  await settle();
  expect(isAnswered).toBe(true);
});
