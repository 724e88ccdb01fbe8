import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { parseMdsAddress } from "../../address.js";
import { withAdmin } from "../../cluster-access.js";
import { repositoryDirectory } from "../../host.js";
import type { Invocation } from "../../invocation.js";
import { parseId } from "../../output.js";
import { readPassword } from "../../password.js";
import { createCluster, FIRST_MDS_ID } from "../../setup/create-cluster.js";
import { joinMds } from "../../setup/join-mds.js";
import { replaceMds } from "../../setup/replace-mds.js";

interface Flags {
  readonly init?: boolean;
  readonly address?: string;
  readonly repository: string;
  readonly p?: boolean;
  readonly P?: boolean;
  readonly bootstrap?: string;
  readonly replace?: string;
}

/** `make-mds`: with -I a new cluster and its first MDS, otherwise one more MDS for a cluster. */
export function defineMakeMds(program: Command, invocation: Invocation): void {
  program
    .command("make-mds")
    .description("make a metadata server on this host; with -I the first one of a new cluster")
    .option("-I, --init", "make a new cluster")
    .option("-a, --address <ip[:port]>", "address of the new server; it uses PORT (2510) and PORT+1")
    .requiredOption("-r, --repository <dir>", "directory of the new server; it is created")
    .option("-p", "with -I: ask for the password of the new cluster")
    .option("-P", "with -I: read the password of the new cluster from standard input")
    .option("-b, --bootstrap <ip[:port]>", "a metadata server of the cluster (default: those in bs.list)")
    .option(
      "--replace <MDSID>",
      "in place of this server, which is lost: it is removed, with what is left of it in the directory",
    )
    .action((flags: Flags) => {
      if (flags.init === true) return makeFirst(invocation, flags);
      return flags.replace === undefined
        ? makeAnother(invocation, flags)
        : makeReplacement(invocation, flags, flags.replace);
    });
}

function addressIn({ address }: Flags): string {
  if (address === undefined) {
    throw storageError("invalid", "the new server needs an address: give it with -a IP[:PORT]");
  }
  return parseMdsAddress(address);
}

async function makeFirst(invocation: Invocation, flags: Flags): Promise<void> {
  const { clusterName } = invocation;
  const address = addressIn(flags);
  const directory = repositoryDirectory(flags.repository);
  if (flags.bootstrap !== undefined)
    throw storageError("invalid", "-I makes a new cluster: there is nothing for -b to find");
  if (flags.replace !== undefined)
    throw storageError("invalid", "-I makes a new cluster: there is nothing to replace");
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
  const address = addressIn(flags);
  const directory = repositoryDirectory(flags.repository);
  refusePassword(flags);
  const { mdsId } = await withAdmin(
    invocation,
    (admin) => joinMds(invocation.host, { clusterName, address, directory }, admin),
    flags,
  );
  if (!invocation.isQuiet)
    invocation.print(`MDS#${mdsId} at ${address} is made; start it: pstorage-mdsd start`);
}

async function makeReplacement(invocation: Invocation, flags: Flags, lost: string): Promise<void> {
  const { clusterName } = invocation;
  refusePassword(flags);
  const replacement = {
    clusterName,
    mdsId: parseId("MDS", lost),
    address: flags.address === undefined ? undefined : parseMdsAddress(flags.address),
    directory: repositoryDirectory(flags.repository),
  };
  const { mdsId, address } = await withAdmin(
    invocation,
    (admin) => replaceMds(invocation.host, replacement, admin),
    flags,
  );
  if (!invocation.isQuiet) {
    invocation.print(
      `MDS#${mdsId} at ${address} is made in place of MDS#${replacement.mdsId}; start it: pstorage-mdsd start`,
    );
  }
}

function refusePassword({ p, P }: Flags): void {
  if (p !== true && P !== true) return;
  throw storageError(
    "invalid",
    "only a new cluster (-I) is given a password; this host is authenticated by auth-node",
  );
}
