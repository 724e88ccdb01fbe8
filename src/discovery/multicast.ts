import { networkInterfaces } from "node:os";
import multicastDns, { type MulticastDNS, type ResponsePacket } from "multicast-dns";

/** An MDS as it makes itself known on its network. */
export interface MdsAnnouncement {
  readonly clusterName: string;
  readonly clusterId: string;
  readonly mdsId: number;
  /** `IP:PORT` with the lower port. */
  readonly address: string;
}

/** DNS-based service discovery over multicast DNS (RFC 6763, RFC 6762). */
const SERVICE = "_pstorage._tcp.local";
const ALL_SERVICES = "_services._dns-sd._udp.local";
const TTL_SECONDS = 120;
/** Answers are not repeated sooner: everybody hears them. */
const ANSWER_EVERY_MS = 250;
/** After the first answer the others follow soon. */
const LINGER_MS = 300;

type Answer = NonNullable<ResponsePacket["answers"]>[number];

/** Tells whoever asks on the network of this address that the MDS is here, until it is closed. IPv4 only. */
export class MdsAnnouncer {
  readonly #socket: MulticastDNS;
  readonly #announcement: MdsAnnouncement;
  #answeredMs = 0;

  constructor(announcement: MdsAnnouncement, onTrouble: (error: Error) => void) {
    this.#announcement = announcement;
    const { host } = partsOf(announcement.address);
    this.#socket = multicastDns({ interface: host, bind: "0.0.0.0" });
    this.#socket.on("error", onTrouble);
    this.#socket.on("warning", onTrouble);
    const instance = instanceOf(announcement);
    const own = new Set(
      [SERVICE, ALL_SERVICES, instance, hostOf(announcement)].map((name) => name.toLowerCase()),
    );
    this.#socket.on("query", ({ questions = [] }) => {
      if (questions.some(({ name }) => own.has(name.toLowerCase()))) this.#answer();
    });
    this.#socket.on("ready", () => this.#answer());
  }

  /** Says that the MDS leaves, and is silent. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.respond({ answers: recordsOf(this.#announcement, 0) }, () => resolve());
    });
    await new Promise<void>((resolve) => this.#socket.destroy(resolve));
  }

  #answer(): void {
    const nowMs = performance.now();
    if (this.#answeredMs !== 0 && nowMs - this.#answeredMs < ANSWER_EVERY_MS) return;
    this.#answeredMs = nowMs;
    this.#socket.respond({ answers: recordsOf(this.#announcement, TTL_SECONDS) });
  }
}

/** Whether others on a network can reach that address. */
export function canAnnounce(address: string): boolean {
  const { host } = partsOf(address);
  return /^\d+(\.\d+){3}$/.test(host) && !host.startsWith("127.") && host !== "0.0.0.0";
}

/**
 * The MDSs that answer on the networks of this machine, of one cluster or of all. Ends soon after the first one of that
 * cluster has answered, at the latest after `waitMs`.
 */
export async function browseMds(clusterName: string | undefined, waitMs: number): Promise<MdsAnnouncement[]> {
  const found = new Map<string, MdsAnnouncement>();
  const sockets = ownAddresses().map((host) => multicastDns({ interface: host, bind: "0.0.0.0" }));
  try {
    await new Promise<void>((resolve) => {
      let timer = setTimeout(resolve, sockets.length === 0 ? 0 : waitMs);
      for (const socket of sockets) {
        // A network without multicast has nobody to be found.
        socket.on("error", () => undefined);
        socket.on("warning", () => undefined);
        socket.on("response", (packet) => {
          for (const announcement of announcementsIn(packet)) {
            if (clusterName !== undefined && announcement.clusterName !== clusterName) continue;
            if (clusterName !== undefined && found.size === 0) {
              clearTimeout(timer);
              timer = setTimeout(resolve, Math.min(waitMs, LINGER_MS));
            }
            found.set(announcement.address, announcement);
          }
        });
        socket.on("ready", () => socket.query([{ name: SERVICE, type: "PTR" }]));
      }
    });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  return [...found.values()].sort((a, b) => a.clusterName.localeCompare(b.clusterName) || a.mdsId - b.mdsId);
}

/** Everything one MDS says of itself: RFC 6763, section 12. */
function recordsOf(announcement: MdsAnnouncement, ttl: number): Answer[] {
  const { clusterName, clusterId, mdsId, address } = announcement;
  const [instance, target] = [instanceOf(announcement), hostOf(announcement)];
  const { host, port } = partsOf(address);
  return [
    { type: "PTR", name: SERVICE, ttl, data: instance },
    { type: "SRV", name: instance, ttl, data: { priority: 0, weight: 1, port, target } },
    { type: "TXT", name: instance, ttl, data: [`cluster=${clusterName}`, `id=${clusterId}`, `mds=${mdsId}`] },
    { type: "A", name: target, ttl, data: host },
  ];
}

/** What others say, as far as it makes sense. Those that leave are left out. */
export function announcementsIn({
  answers,
  additionals,
}: Pick<ResponsePacket, "answers" | "additionals">): MdsAnnouncement[] {
  const records: readonly Answer[] = [...(answers ?? []), ...(additionals ?? [])];
  const announcements: MdsAnnouncement[] = [];
  for (const record of records) {
    if (record.type !== "SRV" || !record.name.toLowerCase().endsWith(SERVICE) || record.ttl === 0) continue;
    const { port, target } = record.data;
    const text = records.find(({ type, name }) => type === "TXT" && name === record.name);
    const host = records.find(({ type, name }) => type === "A" && name === target);
    if (text?.type !== "TXT" || host?.type !== "A") continue;
    const values = textValues(text.data);
    const [clusterName, mdsId] = [values.get("cluster") ?? "", Number(values.get("mds"))];
    if (
      !/^[A-Za-z0-9_-]{1,63}$/.test(clusterName) ||
      !Number.isSafeInteger(mdsId) ||
      port < 1 ||
      port > 65534
    )
      continue;
    announcements.push({
      clusterName,
      clusterId: values.get("id") ?? "",
      mdsId,
      address: `${host.data}:${port}`,
    });
  }
  return announcements;
}

function textValues(data: unknown): Map<string, string> {
  const strings = (Array.isArray(data) ? data : [data]).map((part) =>
    typeof part === "string" ? part : `${part}`,
  );
  return new Map(
    strings.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
  );
}

const instanceOf = ({ clusterName, clusterId, mdsId }: MdsAnnouncement): string =>
  `${clusterName}-${mdsId}-${clusterId.slice(0, 8)}.${SERVICE}`;
const hostOf = ({ clusterId, mdsId }: MdsAnnouncement): string =>
  `mds-${mdsId}-${clusterId.slice(0, 8)}.local`;

function partsOf(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** One IPv4 address of each network that others are on. */
function ownAddresses(): string[] {
  const addresses: string[] = [];
  for (const list of Object.values(networkInterfaces())) {
    const first = list?.find(({ family, internal }) => family === "IPv4" && !internal);
    if (first !== undefined) addresses.push(first.address);
  }
  return addresses;
}
