import { resolve } from "node:path";
import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { advise } from "../../advice/advise.js";
import { placeOf } from "../../advice/place-of.js";
import type { Invocation } from "../../invocation.js";

interface Flags {
  readonly w?: boolean;
  readonly cs: readonly string[];
  readonly ssd?: string;
  readonly mount?: string;
}

/** `advise-configuration`: the commands that make chunk servers and a mount out of the disks of this host. */
export function defineAdviseConfiguration(program: Command, invocation: Invocation): void {
  program
    .command("advise-configuration")
    .description(
      "print the commands that put the disks of this host to use: chunk servers, a mount, a read cache as large as the SSD allows; nothing is done",
    )
    .option("-w", "the SSD is wanted for write journals (not supported yet: it is said so)")
    .option("--cs <dir>", "a chunk server is wanted there; may be repeated", collect, [])
    .option("--ssd <dir>", "a directory on an SSD, for the read cache of the mount")
    .option("-m, --mount <dir>", "the cluster is to be mounted there")
    .action(async (flags: Flags) => {
      const { cs, ssd, mount } = flags;
      if (cs.length === 0 && mount === undefined) {
        throw storageError("invalid", "what is wanted? give --cs DIR for each disk, -m MOUNT, or both");
      }
      if (ssd !== undefined && mount === undefined && flags.w !== true) {
        throw storageError("invalid", "an SSD serves the read cache of a mount: give -m MOUNT too");
      }
      const lines = advise({
        clusterName: invocation.clusterName,
        chunkServers: await Promise.all(cs.map(placeOf)),
        ssd: ssd === undefined ? undefined : await placeOf(ssd),
        mountPoint: mount === undefined ? undefined : resolve(mount),
        wantsJournals: flags.w === true,
      });
      invocation.printLines(lines);
    });
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];
