import { open, rename, rm } from "node:fs/promises";
import type { Command } from "commander";
import { encodeBackup } from "../../backup/backup-file.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatSize } from "../../output.js";
import { Progress } from "../../progress.js";

const SHOW_MS = 200;
/** It contains the keys of the cluster. */
const MODE = 0o600;

/** `backup`: all metadata as they are now, into a file. */
export function defineBackup(program: Command, invocation: Invocation): void {
  program
    .command("backup <FILE>")
    .description(
      "write all metadata of the cluster, as they are now, to a file (- is standard output); it contains the keys of the cluster: keep it safe",
    )
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .action(async (file: string, { bootstrap }: { readonly bootstrap?: string }) => {
      const isSilent = file === "-";
      await withAdmin(
        invocation,
        async (admin) => {
          const { header, bytes } = await admin.backup();
          const stream = watched(invocation, encodeBackup(header, bytes));
          const length = await (isSilent ? toOutput(invocation, stream) : toFile(file, stream));
          if (isSilent || invocation.isQuiet) return;
          invocation.print(
            `${file}: the metadata at entry ${header.index} of the log, ${formatSize(length)}`,
          );
        },
        { bootstrap, isSilent },
      );
    });
}

async function toOutput({ terminal }: Invocation, stream: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of stream) {
    await terminal.write(piece);
    length += piece.length;
  }
  return length;
}

/** Whole and safe from loss of power, or not at all: an older file of that name stays until then. */
async function toFile(path: string, stream: AsyncIterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "wx", MODE);
  try {
    let length = 0;
    for await (const piece of stream) {
      await file.writeFile(piece);
      length += piece.length;
    }
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return length;
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

async function* watched(
  { terminal, host }: Invocation,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { clock } = host.world;
  const progress = new Progress(terminal);
  const beganMs = clock.monotonicMs();
  let shownMs = beganMs;
  let length = 0;
  try {
    for await (const piece of stream) {
      length += piece.length;
      yield piece;
      const nowMs = clock.monotonicMs();
      if (nowMs < shownMs + SHOW_MS) continue;
      shownMs = nowMs;
      const perSecond = (1000 * length) / (nowMs - beganMs);
      progress.show(`${formatSize(length)}, ${formatSize(Math.round(perSecond))}/s`);
    }
  } finally {
    progress.clear();
  }
}
