import type { Command } from "commander";
import type { ClusterStatus } from "../meta/index.js";
import { readText } from "./host-files.js";
import { HostNames } from "./host-names.js";
import type { Invocation } from "./invocation.js";
import { parseSettings, SCREEN_DEFAULTS, type ScreenSettings } from "./screen/settings.js";
import { parseSortOrder } from "./screen/sorting.js";
import { allColumns, clientColumns, csColumns, mdsColumns, type ShowAddress } from "./screen/tables.js";
import type { SortOrders } from "./screen/view.js";

/** Options that `stat` and `top` share. */
export interface ScreenFlags {
  readonly numericAddrs?: boolean;
  readonly mdsSort?: string;
  readonly csSort?: string;
  readonly clntSort?: string;
  readonly bootstrap?: string;
}

/** How the screen shall look, from the options and the host's pstorage.conf. */
export interface ScreenChoice {
  readonly settings: ScreenSettings;
  readonly orders: SortOrders;
  /** Learns the names of a picture's servers, unless numbers are wanted. */
  prepare(status: ClusterStatus): Promise<void>;
  readonly show: ShowAddress;
}

export function defineScreenOptions(command: Command): Command {
  return command
    .option("-n, --numeric-addrs", "addresses as numbers")
    .option("-s, --mds-sort <keys>", "sort metadata servers by KEY[=inv],... (small column titles)")
    .option("-S, --cs-sort <keys>", "sort chunk servers by KEY[=inv],...")
    .option("-O, --clnt-sort <keys>", "sort clients by KEY[=inv],...")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    );
}

/** Throws `invalid` for sort keys that do not exist. */
export async function chooseScreen(invocation: Invocation, flags: ScreenFlags): Promise<ScreenChoice> {
  const path = invocation.host.files.path("etc/pstorage/pstorage.conf");
  const text = await readText(path);
  const settings = text === undefined ? SCREEN_DEFAULTS : parseSettings(text, path);
  const names = new HostNames();
  const isNumeric = flags.numericAddrs === true || settings.isNumeric;
  return {
    settings,
    orders: ordersOf(flags, settings),
    prepare: async (status) => {
      if (!isNumeric) await names.learn(addressesOf(status));
    },
    show: (address) => (isNumeric ? address : names.show(address)),
  };
}

const same = (address: string): string => address;

function ordersOf(flags: ScreenFlags, settings: ScreenSettings): SortOrders {
  return {
    mds: parseSortOrder(flags.mdsSort ?? settings.mdsSort, allColumns(mdsColumns(same))),
    cs: parseSortOrder(flags.csSort ?? settings.csSort, allColumns(csColumns(same))),
    clients: parseSortOrder(flags.clntSort ?? settings.clientSort, allColumns(clientColumns(same))),
  };
}

function addressesOf({ mdsServers, chunkServers, clients }: ClusterStatus): string[] {
  return [...mdsServers, ...chunkServers, ...clients].map(({ address }) => address);
}
