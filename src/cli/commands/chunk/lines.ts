import type { ChunkInfo, ReplicaInfo } from "../../../meta/index.js";
import { formatTable } from "../../output.js";

/** One line for each chunk. */
export function chunkLines(chunks: readonly ChunkInfo[]): string[] {
  return formatTable(
    [
      { title: "INDEX", alignRight: true },
      { title: "CHUNK", alignRight: true },
      { title: "STATE" },
      { title: "VERSION", alignRight: true },
      { title: "REPLICAS" },
    ],
    chunks.map((chunk) => [
      String(chunk.index),
      String(chunk.chunkId),
      chunk.state,
      String(chunk.version),
      chunk.members.map(memberWord).join(" "),
    ]),
  );
}

/** `CS#1025`, with what is unusual about it behind a colon. */
function memberWord({ csId, role, status }: ReplicaInfo): string {
  const notes = [...(role === "complete" ? [] : [role]), ...(status === "active" ? [] : [status])];
  return notes.length === 0 ? `CS#${csId}` : `CS#${csId}:${notes.join(",")}`;
}
