import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { parseCsAddress } from "../../address.js";
import { parseList, withAdmin } from "../../cluster-access.js";
import { repositoryDirectory } from "../../host.js";
import type { Invocation } from "../../invocation.js";
import { createChunkServer } from "../../setup/create-chunk-server.js";

interface Flags {
  readonly repository: string;
  readonly address?: string;
  readonly bootstrap?: string;
  readonly tier: string;
  readonly journal?: string;
  readonly size?: string;
}

/** `make-cs`: a chunk server on this host, for one disk. */
export function defineMakeCs(program: Command, invocation: Invocation): void {
  program
    .command("make-cs")
    .description("make a chunk server on this host, one for each disk")
    .requiredOption("-r, --repository <dir>", "directory on the disk; it is created")
    .option(
      "-a, --address <ip[:port]>",
      "address to listen on (default: the one this host reaches the cluster from, any port)",
    )
    .option("-t, --tier <tier>", "0 (slow) to 3 (fast)", "0")
    .option("-j, --journal <file>", "write journal on an SSD (not supported yet)")
    .option("-s, --size <mb>", "size of the journal (not supported yet)")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .action(async (flags: Flags) => {
      if (flags.journal !== undefined || flags.size !== undefined) {
        throw storageError(
          "unsupported",
          "write journals (-j, -s) are not supported yet; make the chunk server without",
        );
      }
      if (!/^[0-3]$/.test(flags.tier)) throw storageError("invalid", `-t ${flags.tier}: a tier is 0 to 3`);
      const { clusterName } = invocation;
      const directory = repositoryDirectory(flags.repository);
      const address = flags.address === undefined ? undefined : parseCsAddress(flags.address);
      // The daemon needs to find the cluster too.
      for (const known of parseList(flags.bootstrap) ?? [])
        await invocation.host.files.addBootstrapAddress(clusterName, known);
      const server = { clusterName, directory, address, tier: Number(flags.tier) };
      const { csId } = await withAdmin(
        invocation,
        (admin) => createChunkServer(invocation.host, server, admin),
        flags,
      );
      if (!invocation.isQuiet) invocation.print(`CS#${csId} is made; start it: pstorage-csd start`);
    });
}
