/** The page of one file. What comes from the cluster is text, never markup. */
import { card, safe, table, word } from "./parts.js";

/** Who has the file open, by what the metadata servers gave out. */
function leaseTable({ path, leases }) {
  if (leases === undefined)
    return "<p>The leading metadata server is of an earlier version, and does not say who has it open.</p>";
  if (leases.length === 0) return `<p>Nobody has ${safe(path)} open.</p>`;
  return table(
    `Open by ${leases.length}: a lease is what the client may do by itself`,
    [
      { title: "Client", of: ({ sessionId }) => `#${sessionId}` },
      { title: "Host", of: ({ hostname }) => safe(hostname) },
      { title: "Program", of: ({ program }) => safe(program) },
      { title: "Address", of: ({ address }) => safe(address || "not connected") },
      {
        title: "Lease",
        of: ({ lease, recallTo }) => safe(recallTo ? `${lease}, goes down to ${recallTo}` : lease),
      },
      { title: "Reading", isNumber: true, of: ({ readCount }) => readCount },
      { title: "Writing", isNumber: true, of: ({ writeCount }) => writeCount },
    ],
    leases,
  );
}

/** `file`: what was asked for; undefined: nothing yet. */
export function filePage(file) {
  const chunks = file?.chunks ?? [];
  const result =
    file === undefined
      ? ""
      : file.error !== undefined
        ? `<p class="bad">${safe(file.error)}</p>`
        : leaseTable(file) +
          table(
            `${chunks.length} chunks of ${safe(file.path)}; a small file may have none, it is kept in the metadata`,
            [
              { title: "Index", isNumber: true, of: (chunk) => chunk.index },
              { title: "Chunk", isNumber: true, of: (chunk) => chunk.chunkId },
              { title: "State", of: (chunk) => word(chunk.state) },
              { title: "Version", isNumber: true, of: (chunk) => chunk.version },
              {
                title: "Copies",
                isNumber: true,
                of: (chunk) =>
                  `${chunk.members.filter(({ role }) => role === "complete").length} of ${chunk.replicas}`,
              },
              {
                title: "Where",
                isText: true,
                of: (chunk) =>
                  chunk.members
                    .map(
                      (member) =>
                        `<a href="#/cs/${member.csId}">CS#${member.csId}</a> ${safe(member.role === "complete" ? "" : member.role)}`,
                    )
                    .join(" &rarr; "),
              },
            ],
            chunks,
          );
  return card(
    "A file: who has it open, and where it is",
    `<form id="file"><label>Path, from the root of the cluster<input type="text" name="path" value="${safe(file?.path ?? "/")}"></label><button>Show</button></form>${result}`,
    "wide",
  );
}
