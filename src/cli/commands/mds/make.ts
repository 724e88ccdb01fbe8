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
import { type Recovered, recoverCluster } from "../../setup/recover-cluster.js";
import { replaceMds } from "../../setup/replace-mds.js";

interface Flags {
  readonly init?: boolean;
  readonly address?: string;
  readonly repository: string;
  readonly p?: boolean;
  readonly P?: boolean;
  readonly bootstrap?: string;
  readonly replace?: string;
  readonly recover?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
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
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .option(
      "--replace <MDSID>",
      "in place of this server, which is lost: it is removed, with what is left of it in the directory",
    )
    .option(
      "--recover",
      "when the majority is lost for good: begin a new group with the server in the directory, alone",
    )
    .option("--dry-run", "with --recover: only look, and tell how far its log goes")
    .option("--force", "with --recover: although a majority may be there; what the others know is lost")
    .action((flags: Flags) => {
      if (flags.recover === true) return recover(invocation, flags);
      if (flags.force === true || flags.dryRun === true) {
        throw storageError("invalid", "--force and --dry-run go with --recover");
      }
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
    throw storageError(
      "invalid",
      "-I makes a new cluster: there is nothing to replace; leave one of them away",
    );
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

async function recover(invocation: Invocation, flags: Flags): Promise<void> {
  const { clusterName, host } = invocation;
  const given = [flags.init, flags.address, flags.replace, flags.bootstrap, flags.p, flags.P];
  if (given.some((value) => value !== undefined)) {
    throw storageError(
      "invalid",
      "--recover takes what the directory says: give it with -r, and nothing else",
    );
  }
  const directory = repositoryDirectory(flags.repository);
  const isForced = flags.force === true;
  const isDry = flags.dryRun === true;
  if (isForced && !isDry) {
    invocation.terminal.printError(
      "--force: if a majority of the old group is there, the cluster is taken from it, and what only it knows is lost\n",
    );
  }
  const recovered = await recoverCluster(host, { clusterName, directory, isForced, isDry });
  if (!invocation.isQuiet || isDry) invocation.printLines(recoveryLines(recovered));
}

function recoveryLines({ survivorId, last, lines, made }: Recovered): string[] {
  const found = [...lines, `the log of MDS#${survivorId} ends with entry ${last.index} of term ${last.term}`];
  if (made === undefined) return found;
  return [
    ...found,
    `MDS#${made.mdsId} at ${made.address} begins a new group; start it: pstorage-mdsd start`,
    "see docs/operating/disaster.md for what to look after",
  ];
}
