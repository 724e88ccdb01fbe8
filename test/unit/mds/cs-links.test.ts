import { expect, test } from "vitest";
import { chunkId, chunkVersion, csId, LEVEL, type NumberedCsCommand } from "../../../src/chunk/index.js";
import { CsLinks } from "../../../src/mds/cs-links.js";
import type { CallServer } from "../../../src/rpc/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

const CS = csId(1025);
const DELETE = { type: "deleteReplica", body: { chunkId: chunkId(1), version: chunkVersion(1) } } as const;

class FakeServer implements CallServer<NumberedCsCommand> {
  readonly peer = { address: "10.0.0.2:1", clusterId: "", hostId: "", roles: [] };
  readonly commands: NumberedCsCommand[] = [];
  isClosed = false;
  push(command: NumberedCsCommand): boolean {
    this.commands.push(command);
    return true;
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  onClose(): void {}
  close(): void {
    this.isClosed = true;
  }
}

test("a command ends with the answer that bears its number", async () => {
  const links = new CsLinks(new ManualClock());
  const server = new FakeServer();
  links.connect(CS, server, LEVEL);
  const first = links.command(CS, DELETE, 1000);
  const second = links.command(CS, DELETE, 1000);
  await Promise.resolve();
  const [one, two] = server.commands.map(({ commandId }) => commandId);
  links.commandDone(CS, { commandId: two ?? 0, highWaterBytes: 22 });
  links.commandDone(CS, {
    commandId: one ?? 0,
    failure: { code: "stale_map", detail: "old" },
    highWaterBytes: 0,
  });
  await expect(first).rejects.toMatchObject({ code: "stale_map" });
  await expect(second).resolves.toMatchObject({ highWaterBytes: 22 });
});

test("a server that is not there, goes away or stays silent fails its commands", async () => {
  const clock = new ManualClock();
  const links = new CsLinks(clock);
  await expect(links.command(CS, DELETE, 1000)).rejects.toMatchObject({ code: "unavailable" });
  const server = new FakeServer();
  links.connect(CS, server, LEVEL);
  const late = links.command(CS, DELETE, 1000);
  await Promise.resolve();
  clock.advance(1000);
  await expect(late).rejects.toMatchObject({ code: "timed_out" });
  const cutOff = links.command(CS, DELETE, 1000);
  await Promise.resolve();
  expect(links.disconnect(CS, server)).toBe(true);
  await expect(cutOff).rejects.toMatchObject({ code: "unavailable" });
});

test("the end of an older connection does not disconnect the newer one", () => {
  const links = new CsLinks(new ManualClock());
  const [older, newer] = [new FakeServer(), new FakeServer()];
  links.connect(CS, older, LEVEL);
  links.connect(CS, newer, LEVEL);
  expect(older.isClosed).toBe(true);
  expect(links.disconnect(CS, older)).toBe(false);
  expect(links.isConnected(CS)).toBe(true);
});

test("an answer with a code that is not known is a failure all the same", async () => {
  const links = new CsLinks(new ManualClock());
  const server = new FakeServer();
  links.connect(CS, server, LEVEL);
  const command = links.command(CS, DELETE, 1000);
  await Promise.resolve();
  const commandId = server.commands[0]?.commandId ?? 0;
  links.commandDone(CS, { commandId, failure: { code: "from_the_future", detail: "?" }, highWaterBytes: 0 });
  await expect(command).rejects.toMatchObject({ code: "io_error" });
});
