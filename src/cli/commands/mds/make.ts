import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { parseMdsAddress } from "../../address.js";
import { withAdmin } from "../../cluster-access.js";
import { repositoryDirectory } from "../../host.js";
import type { Invocation } from "../../invocation.js";
import { readPassword } from "../../password.js";
import { createCluster, FIRST_MDS_ID } from "../../setup/create-cluster.js";
import { joinMds } from "../../setup/join-mds.js";

interface Flags {
  readonly init?: boolean;
  readonly address: string;
  readonly repository: string;
  readonly p?: boolean;
  readonly P?: boolean;
  readonly bootstrap?: string;
}

/** `make-mds`: with -I a new cluster and its first MDS, otherwise one more MDS for a cluster. */
export function defineMakeMds(program: Command, invocation: Invocation): void {
  program
    .command("make-mds")
    .description("make a metadata server on this host; with -I the first one of a new cluster")
    .option("-I, --init", "make a new cluster")
    .requiredOption("-a, --address <ip[:port]>", "address of the new server; it uses PORT (2510) and PORT+1")
    .requiredOption("-r, --repository <dir>", "directory of the new server; it is created")
    .option("-p", "with -I: ask for the password of the new cluster")
    .option("-P", "with -I: read the password of the new cluster from standard input")
    .option("-b, --bootstrap <ip[:port]>", "a metadata server of the cluster (default: those in bs.list)")
    .action((flags: Flags) =>
      flags.init === true ? makeFirst(invocation, flags) : makeAnother(invocation, flags),
    );
}

async function makeFirst(invocation: Invocation, flags: Flags): Promise<void> {
  const { clusterName } = invocation;
  const address = parseMdsAddress(flags.address);
  const directory = repositoryDirectory(flags.repository);
  if (flags.bootstrap !== undefined)
    throw storageError("invalid", "-I makes a new cluster: there is nothing for -b to find");
  if ((flags.p === true) === (flags.P === true)) {
    throw storageError(
      "invalid",
      "a new cluster needs a password: -p asks for it, -P reads it from standard input",
    );
  }
  const password = await readPassword(invocation.terminal, { fromInput: flags.P === true, isNew: true });
  await createCluster(invocation.host, { clusterName, address, directory, password });
  if (!invocation.isQuiet) {
    invocation.print(
      `cluster ${clusterName} is made, with MDS#${FIRST_MDS_ID} at ${address}; start it: pstorage-mdsd start`,
    );
  }
}

async function makeAnother(invocation: Invocation, flags: Flags): Promise<void> {
  const { clusterName } = invocation;
  const address = parseMdsAddress(flags.address);
  const directory = repositoryDirectory(flags.repository);
  if (flags.p === true || flags.P === true) {
    throw storageError(
      "invalid",
      "only a new cluster (-I) is given a password; this host is authenticated by auth-node",
    );
  }
  const { mdsId } = await withAdmin(
    invocation,
    (admin) => joinMds(invocation.host, { clusterName, address, directory }, admin),
    flags,
  );
  if (!invocation.isQuiet)
    invocation.print(`MDS#${mdsId} at ${address} is made; start it: pstorage-mdsd start`);
}
