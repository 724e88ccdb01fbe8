import { resolve } from "node:path";
import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { Invocation } from "../../invocation.js";
import {
  activateUnits,
  defaultUnitDirectory,
  installUnits,
  isSystemdRunning,
} from "../../services/install.js";

interface InstallFlags {
  readonly dir?: string;
  readonly mount?: string;
  readonly enable: boolean;
}

/** `install-services`: units for systemd. */
export function defineInstallServices(program: Command, invocation: Invocation): void {
  program
    .command("install-services")
    .description(
      "write systemd units for the servers of this host (and with --mount for a mount), and have them started at boot; safe to repeat",
    )
    .option("--dir <dir>", "where the units go (default: /etc/systemd/system); elsewhere nothing is enabled")
    .option("--mount <dir>", "also a mount unit: the cluster of -c is mounted there")
    .option("--no-enable", "only write the files")
    .action(async ({ dir, mount, enable }: InstallFlags) => {
      const { files } = invocation.host;
      const wish =
        mount === undefined ? undefined : { clusterName: invocation.clusterName, directory: resolve(mount) };
      const isDefault = dir === undefined && files.root === "/";
      if (isDefault && enable && !isSystemdRunning()) {
        throw storageError(
          "unsupported",
          "this machine was not started by systemd; start servers with pstorage-mdsd start and pstorage-csd start, or say where units go with --dir",
        );
      }
      const installed = await installUnits(
        files,
        dir === undefined ? defaultUnitDirectory(files) : resolve(dir),
        wish,
      );
      for (const name of installed.written) invocation.print(`${installed.directory}/${name} written`);
      for (const name of installed.removed) invocation.print(`${installed.directory}/${name} removed`);
      if (installed.written.length + installed.removed.length === 0) invocation.print("nothing has changed");
      if (isDefault && enable) await activateUnits(installed.units);
    });
}
