import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { storageError } from "../base/index.js";
import { parseMdsName, parseMdsNames } from "../discovery/index.js";

/**
 * What a host keeps outside of repositories, all under one root (`PSTORAGE_ROOT`, `/` by default):
 *
 *     etc/pstorage/clusters/NAME/bs.list        addresses of metadata servers, one IP[:PORT] a line
 *     etc/pstorage/clusters/NAME/auth_digest.key  the host's credential
 *     etc/pstorage/host_id, location            identity and place of the host
 *     etc/pstorage/mds.config, cs.config        the repositories of this host, one `CLUSTER DIR [metrics=[ADDR:]PORT] [dashboard=[ADDR:]PORT]` a line
 *     run/pstorage/                             process ids
 */
export class HostFiles {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  clusterDirectory(clusterName: string): string {
    return this.path("etc/pstorage/clusters", checkedClusterName(clusterName));
  }

  pidFile(kind: ServiceKind, clusterName: string, id: number): string {
    return this.path("run/pstorage", `${kind}d.${clusterName}.${id}.pid`);
  }

  /** `room.row.rack` of this host; `0.0.0` unless etc/pstorage/location says otherwise. */
  async location(): Promise<string> {
    const text = ((await readText(this.path("etc/pstorage/location"))) ?? "0.0.0").trim();
    if (!/^\d{1,5}(\.\d{1,5}){2}$/.test(text)) {
      throw storageError(
        "invalid",
        `${this.path("etc/pstorage/location")} must hold three numbers: ROOM.ROW.RACK`,
      );
    }
    return text;
  }

  /** Clusters this host has anything of. */
  async clusterNames(): Promise<string[]> {
    const entries = await readdir(this.path("etc/pstorage/clusters"), { withFileTypes: true }).catch(
      () => [],
    );
    return entries
      .filter((entry) => entry.isDirectory() && CLUSTER_NAME.test(entry.name))
      .map(({ name }) => name);
  }

  /** Where the addresses of the cluster's metadata servers are written down. */
  bootstrapFile(clusterName: string): string {
    return join(this.clusterDirectory(clusterName), "bs.list");
  }

  /** Addresses of metadata servers, `HOST:PORT` with the lower port, from bs.list and from bs_list as os-brick writes it. */
  async bootstrapAddresses(clusterName: string): Promise<string[]> {
    const path = this.bootstrapFile(clusterName);
    const texts = [await readText(path), await readText(path.replace(/bs\.list$/, "bs_list"))];
    return [...new Set(texts.flatMap((text) => parseMdsNames(text ?? "")))];
  }

  /** Adds an address, `HOST:PORT`, to the cluster's bs.list (that is the one the daemons read) unless it is there. */
  async addBootstrapAddress(clusterName: string, address: string): Promise<void> {
    const path = this.bootstrapFile(clusterName);
    const text = (await readText(path)) ?? "";
    if (parseMdsNames(text).includes(address)) return;
    await writeText(path, `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${address}\n`);
  }

  async removeBootstrapAddress(clusterName: string, address: string): Promise<void> {
    const path = this.bootstrapFile(clusterName);
    const lines = ((await readText(path)) ?? "").split("\n");
    const kept = lines.filter((line) => {
      const entry = withoutComment(line);
      return entry === "" || parseMdsName(entry) !== address;
    });
    await writeText(path, kept.join("\n"));
  }

  async services(kind: ServiceKind): Promise<Service[]> {
    const text = (await readText(this.path("etc/pstorage", `${kind}.config`))) ?? "";
    const services: Service[] = [];
    for (const line of text.split("\n")) {
      // A directory may have a # in its name: only whole lines are comments.
      const { entry, metrics, dashboard } = splitPlaces(line.replace(/^\s*#.*/, "").trim());
      const [clusterName, directory] = splitOnce(entry);
      if (clusterName === "" || directory === "") continue;
      services.push({
        kind,
        clusterName,
        directory,
        ...(metrics === undefined ? {} : { metrics }),
        ...(dashboard === undefined ? {} : { dashboard }),
      });
    }
    return services;
  }

  async addService(service: Service): Promise<void> {
    const services = await this.services(service.kind);
    if (services.some(({ directory }) => directory === service.directory)) return;
    await this.#writeServices(service.kind, [...services, service]);
  }

  async removeService(kind: ServiceKind, directory: string): Promise<void> {
    const services = await this.services(kind);
    await this.#writeServices(
      kind,
      services.filter((service) => service.directory !== directory),
    );
  }

  async #writeServices(kind: ServiceKind, services: readonly Service[]): Promise<void> {
    const lines = services.map(
      ({ clusterName, directory, metrics, dashboard }) =>
        `${clusterName} ${directory}${metrics === undefined ? "" : ` metrics=${metrics}`}${dashboard === undefined ? "" : ` dashboard=${dashboard}`}\n`,
    );
    await writeText(this.path("etc/pstorage", `${kind}.config`), lines.join(""));
  }
}

export type ServiceKind = "mds" | "cs";

/** A repository on this host that a daemon serves. */
export interface Service {
  readonly kind: ServiceKind;
  readonly clusterName: string;
  readonly directory: string;
  /** Where its daemon serves metrics, `[ADDR:]PORT`; nowhere without. */
  readonly metrics?: string;
  /** Of a metadata server: where it serves the dashboard, `[ADDR:]PORT` or `off`; without, as the daemon does by itself. */
  readonly dashboard?: string;
}

const CLUSTER_NAME = /^[A-Za-z0-9_-]{1,63}$/;

export function checkedClusterName(name: string): string {
  if (CLUSTER_NAME.test(name)) return name;
  throw storageError(
    "invalid",
    `"${name}" is no cluster name: use 1 to 63 of the characters a-z A-Z 0-9 - _`,
  );
}

export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeText(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}

function withoutComment(line: string): string {
  return line.replace(/#.*$/, "").trim();
}

function splitOnce(line: string): [string, string] {
  const found = /^(\S+)\s+(.+)$/.exec(line);
  return [found?.[1] ?? "", found?.[2] ?? ""];
}

/** A line of mds.config or cs.config without `metrics=` and `dashboard=` at its end, and what those say. */
function splitPlaces(line: string): {
  readonly entry: string;
  readonly metrics?: string;
  readonly dashboard?: string;
} {
  const found = /^(.*?)\s+(metrics|dashboard)=(\S+)$/.exec(line);
  if (found === null) return { entry: line };
  const [, before = "", name = "", value] = found;
  return { [name]: value, ...splitPlaces(before) };
}
