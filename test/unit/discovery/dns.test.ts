import { createSocket, type Socket } from "node:dgram";
import { type DecodedPacket, decode, encode } from "dns-packet";
import { afterEach, describe, expect, test } from "vitest";
import { searchDomains } from "../../../src/discovery/dns.js";
import { clustersInDns, type Dns, machineDns, mdsInDns } from "../../../src/discovery/index.js";

type Answers = NonNullable<DecodedPacket["answers"]>;
const servers: Socket[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A name server on loopback that knows these records and nothing else. */
async function nameServer(records: Answers): Promise<string> {
  const socket = createSocket("udp4");
  servers.push(socket);
  socket.on("message", (message, from) => {
    const { id, questions = [] } = decode(message);
    const [question] = questions;
    const answers = records.filter(({ type, name }) => type === question?.type && name === question?.name);
    // 3: no such name.
    const flags = 0x100 | (answers.length === 0 ? 3 : 0);
    socket.send(encode({ type: "response", id, flags, questions, answers }), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return `127.0.0.1:${socket.address().port}`;
}

describe("DNS", () => {
  test("SRV records name the servers of a cluster, in the order of their priority", async () => {
    const srv = (target: string, priority: number): Answers[number] => ({
      type: "SRV",
      name: "_pstorage._tcp.stor1",
      data: { priority, weight: 1, port: 2510, target },
    });
    const dns = machineDns([await nameServer([srv("mds2.lan", 10), srv("mds1.lan", 0)])]);
    expect(await mdsInDns(noDomains(dns), "stor1")).toEqual(["mds1.lan:2510", "mds2.lan:2510"]);
    expect(await mdsInDns(noDomains(dns), "other")).toEqual([]);
  });

  test("the search domains of the machine come first", async () => {
    const record = { type: "SRV", name: "_pstorage._tcp.stor1.example.lan" } as const;
    const data = { priority: 0, weight: 1, port: 4110, target: "m.example.lan" };
    const dns = machineDns([await nameServer([{ ...record, data }])]);
    const inDomain: Dns = { ...dns, searchDomains: async () => ["nowhere.lan", "example.lan"] };
    expect(await mdsInDns(inDomain, "stor1")).toEqual(["m.example.lan:4110"]);
  });

  test("TXT records name clusters: several strings, several records, several names in each", async () => {
    const txt = (...data: string[]): Answers[number] => ({ type: "TXT", name: "pstorage_clusters", data });
    const dns = machineDns([await nameServer([txt("stor2,stor1", "lab"), txt("stor3")])]);
    expect(await clustersInDns(noDomains(dns))).toEqual(["lab", "stor1", "stor2", "stor3"]);
  });

  test("a name server that does not answer is as good as none", async () => {
    expect(await mdsInDns(noDomains(machineDns(["127.0.0.1:9"])), "stor1")).toEqual([]);
  });

  test("the last search line of resolv.conf counts", () => {
    expect(searchDomains("nameserver 10.0.0.1\ndomain a.lan\nsearch b.lan  c.lan .\n")).toEqual([
      "b.lan",
      "c.lan",
    ]);
    expect(searchDomains("# search x\n")).toEqual([]);
  });
});

const noDomains = (dns: Dns): Dns => ({ ...dns, searchDomains: async () => [] });
