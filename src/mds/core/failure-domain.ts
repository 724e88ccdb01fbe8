import type { FailureDomain } from "../../meta/index.js";
import type { CsRecord } from "./records.js";

/** Servers with the same key share a fate: no two replicas of a chunk there. */
export function domainOf(server: CsRecord, domain: FailureDomain): string {
  const [room = "0", row = "0"] = server.location.split(".");
  switch (domain) {
    case "disk":
      return String(server.csId);
    case "host":
      return server.hostId;
    case "rack":
      return server.location;
    case "row":
      return `${room}.${row}`;
    case "room":
      return room;
  }
}
