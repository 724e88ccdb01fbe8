import type { ServiceKind } from "../host-files.js";
import type { LocalService } from "../service-control.js";

/** A file for systemd: systemd.unit(5). */
export interface UnitFile {
  readonly name: string;
  readonly text: string;
}

/** How our programs are called: the interpreter and the directory of `bin/`. */
export interface Programs {
  readonly node: string;
  readonly binDirectory: string;
  /** `PSTORAGE_ROOT`. */
  readonly root: string;
}

/** A file system to be mounted at boot. */
export interface MountWish {
  readonly clusterName: string;
  /** Absolute. */
  readonly directory: string;
}

const TITLES: Readonly<Record<ServiceKind, string>> = { mds: "metadata server", cs: "chunk server" };
const FIRST_LINE = "# Made by pstorage install-services; run it again after make-mds, make-cs or rm-cs.";

/** One unit for each repository, one target for each kind, under both names of the product. */
export function unitFiles(services: readonly LocalService[], programs: Programs): UnitFile[] {
  const kinds: readonly ServiceKind[] = ["mds", "cs"];
  return [...kinds.map(targetFile), ...services.map((service) => serviceFile(service, programs))];
}

/** `pstorage-mdsd.target`, `pstorage-csd.target`. */
export const targetName = (kind: ServiceKind): string => `pstorage-${kind}d.target`;

/** As the original names them: `pstorage-csd.CLUSTER.ID.service`. */
export const unitName = ({ kind, clusterName, id }: LocalService): string =>
  `pstorage-${kind}d.${clusterName}.${id}.service`;

function targetFile(kind: ServiceKind): UnitFile {
  return {
    name: targetName(kind),
    text: unitText({
      Unit: [
        `Description=All pstorage ${TITLES[kind]}s of this host`,
        `Documentation=man:pstorage-${kind}d(8)`,
        // Clients stop first, then metadata servers, then chunk servers.
        ...(kind === "mds" ? ["After=pstorage-csd.target"] : []),
      ],
      Install: ["WantedBy=multi-user.target", `Alias=vstorage-${kind}d.target`],
    }),
  };
}

function serviceFile(service: LocalService, { node, binDirectory, root }: Programs): UnitFile {
  const { kind, clusterName, id, directory } = service;
  const call = (verb: string): string =>
    [node, `${binDirectory}/pstorage-${kind}d.js`, verb, directory].map(quoted).join(" ");
  return {
    name: unitName(service),
    text: unitText({
      Unit: [
        `Description=pstorage ${TITLES[kind]} ${kind.toUpperCase()}#${id} of ${clusterName}`,
        `Documentation=man:pstorage-${kind}d(8)`,
        "Wants=network-online.target",
        "After=network-online.target time-sync.target",
        // Without its disk it must not run: it would find an empty directory.
        `RequiresMountsFor=${quoted(directory)}`,
        `PartOf=${targetName(kind)}`,
        ...(kind === "mds" ? ["After=pstorage-csd.target"] : []),
      ],
      Service: [
        // "start" returns when the daemon serves, and has written the file.
        "Type=forking",
        `PIDFile=${root.replace(/\/+$/, "")}/run/pstorage/${kind}d.${clusterName}.${id}.pid`,
        ...(root === "/" ? [] : [`Environment=${quoted(`PSTORAGE_ROOT=${root}`)}`]),
        `ExecStart=${call("start")}`,
        `ExecStop=${call("stop")}`,
        `ExecReload=${call("reload")}`,
        "Restart=on-failure",
        "RestartSec=2",
        "TimeoutSec=90",
        "LimitNOFILE=65536",
        "OOMScoreAdjust=-500",
      ],
      Install: [`WantedBy=${targetName(kind)}`, `Alias=vstorage-${kind}d.${clusterName}.${id}.service`],
    }),
  };
}

/** The mount unit of a directory; its name must be the directory's: systemd.mount(5). */
export function mountFile({ clusterName, directory }: MountWish): UnitFile {
  return {
    name: `${escapedPath(directory)}.mount`,
    text: unitText({
      Unit: [
        `Description=pstorage cluster ${clusterName}`,
        "Documentation=man:pstorage-mount(8)",
        "Wants=network-online.target",
        // It stops before the servers do.
        "After=network-online.target pstorage-mdsd.target pstorage-csd.target",
      ],
      Mount: [
        `What=pstorage://${clusterName}`,
        `Where=${directory}`,
        "Type=fuse.pstorage",
        "Options=rw,nosuid,nodev,_netdev",
        "TimeoutSec=90",
      ],
      Install: ["WantedBy=remote-fs.target"],
    }),
  };
}

function unitText(sections: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(sections).map(([name, lines]) => [`[${name}]`, ...lines, ""].join("\n"));
  return [FIRST_LINE, "", ...parts].join("\n");
}

/** As a word of a command line: systemd.syntax(7). `%` and `$` would begin something else. */
function quoted(word: string): string {
  const safe = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(safe)
    ? safe
    : `"${safe.replace(/[\\"]/g, (character) => `\\${character}`)}"`;
}

/** `systemd-escape --path`: systemd.unit(5), "String escaping". */
export function escapedPath(path: string): string {
  const trimmed = path
    .split("/")
    .filter((part) => part !== "")
    .join("/");
  if (trimmed === "") return "-";
  const bytes = [...Buffer.from(trimmed)];
  return bytes
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      if (character === "/") return "-";
      const isPlain = /[A-Za-z0-9:_.]/.test(character) && !(index === 0 && character === ".");
      return isPlain ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}
