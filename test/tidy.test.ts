import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/**
 * The house rules that a machine can check. A rule that starts to hurt is changed here, with its reason.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Room -> rooms whose door it may use. A room that is not listed may not be imported at all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  chunk: ["base"],
  meta: ["base", "chunk"],
  raft: ["base"],
  io: ["base"],
  telemetry: ["base", "io"],
  discovery: ["base", "io"],
  auth: ["base", "io"],
  rpc: ["base", "chunk", "meta", "io", "telemetry", "auth"],
  mds: ["base", "chunk", "meta", "raft", "io", "telemetry", "auth", "discovery", "rpc", "dashboard"],
  cs: ["base", "chunk", "meta", "io", "telemetry", "auth", "discovery", "rpc"],
  client: ["base", "chunk", "meta", "io", "telemetry", "auth", "discovery", "rpc"],
  mount: ["base", "chunk", "meta", "io", "telemetry", "auth", "rpc", "client"],
  dashboard: ["base", "io", "meta", "telemetry", "auth", "discovery", "rpc", "client"],
  cli: [
    "base",
    "chunk",
    "meta",
    "io",
    "telemetry",
    "auth",
    "discovery",
    "rpc",
    "client",
    "mds",
    "cs",
    "mount",
    "dashboard",
  ],
};

/** Rooms, and folders in them, where decisions are made: no time, chance, disk, network, logging. */
const PURE = [
  "src/base/",
  "src/chunk/",
  "src/meta/",
  "src/raft/",
  "src/mds/core/",
  "src/cs/core/",
  "src/client/core/",
  "src/dashboard/core/",
  "src/mount/core/",
  "src/mount/fuse-wire/",
];

/** Third-party packages, and why each is worth it. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@serenity-kit/opaque": "the password protocol of enrolment (OPAQUE)",
  commander: "command lines",
  "multicast-dns": "finding metadata servers on the local network",
  level: "LevelDB: Raft log, metadata, replica records",
  pino: "log lines",
  protobufjs: "protobuf reader and writer under the generated messages",
};

/** Where a door may be passed by: the file that puts a process together. */
const COMPOSITION_ROOTS = [
  "src/mds/main.ts",
  "src/cs/main.ts",
  "src/client/connect.ts",
  "src/dashboard/serve.ts",
  "src/mount/main.ts",
  "src/cli/",
];

/** Not roots, but they alone touch a part of the machine. */
const MACHINE_FILES: Readonly<Record<string, string>> = {
  "src/discovery/dns.ts": "the resolver of the machine",
  "src/discovery/multicast.ts": "multicast on the networks of the machine",
  "src/dashboard/desk-requests.ts": "who asks over HTTP",
  "src/dashboard/http-server.ts": "HTTP, and the files of the page",
  "src/telemetry/log-rotation.ts": "files of logs",
  "src/mount/dev-fuse.ts": "/dev/fuse",
  "src/mount/mount-point.ts": "mount(8), umount(8) and /proc/mounts",
  "src/mount/process-status.ts": "/proc/PID/status of who waits in a call",
};

/** File -> why it may be longer than the limit. May only shrink. */
const LONG_FILES: Readonly<Record<string, string>> = {
  "src/rpc/gen/messages.ts": "generated",
};
const LINES_MAX = 500;

/** Pure, although it is built into Node. */
const NODE_IN_PURE: Readonly<Record<string, string>> = {
  "src/base/crc32.ts": "zlib.crc32 is a pure function",
};

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sourcesUnder(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const imports = [
        ...text.matchAll(
          /^(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)|^import\s+"([^"]+)"/gms,
        ),
      ];
      return { path, text, imports: imports.map((found) => found[1] ?? found[2] ?? found[3] ?? "") };
    });
}

const sources = sourcesUnder("src");

/** The code without comments and texts, for rules about words. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*.*?\*\//gs, "")
    .replace(/(^|[^:"'])\/\/.*$/gm, "$1")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

const roomOf = (path: string): string => path.split("/")[1] ?? "";
const isRoot = (path: string): boolean => COMPOSITION_ROOTS.some((root) => path.startsWith(root));

test("rooms import only what lies below them, and through the door", () => {
  const offences: string[] = [];
  for (const { path, imports } of sources) {
    const room = roomOf(path);
    for (const specifier of imports.filter((name) => name.startsWith("."))) {
      const target = normalize(join(dirname(path), specifier));
      const targetRoom = roomOf(target);
      if (targetRoom === room) continue;
      if (!MAY_IMPORT[room]?.includes(targetRoom)) {
        offences.push(
          `${path}: ${room}/ may not import ${targetRoom}/. Move the shared part down, or pass it in.`,
        );
        continue;
      }
      const isDoor = target === `src/${targetRoom}/index.js`;
      const isComposed =
        isRoot(path) &&
        /^src\/(io\/real(\/daemon)?|rpc\/(grpc|channel|inproc))\/index\.js$|^src\/(mds|cs|client|mount|dashboard)\/[a-z-]+\.js$/.test(
          target,
        );
      if (!isDoor && !isComposed)
        offences.push(`${path}: imports ${target}; use the door src/${targetRoom}/index.js.`);
    }
  }
  expect(offences).toEqual([]);
});

test("core folders know only the pure rooms, the codec beside them and themselves", () => {
  const offences: string[] = [];
  for (const { path, imports } of sources) {
    const core = /^src\/\w+\/core\//.exec(path)?.[0];
    if (core === undefined) continue;
    for (const specifier of imports) {
      const target = specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
      const mayKnow = /^src\/(base|chunk|meta|mount\/fuse-wire)\//.test(target) || target.startsWith(core);
      if (!mayKnow) offences.push(`${path}: ${specifier}`);
    }
  }
  expect(offences).toEqual([]);
});

test("pure rooms have no time, chance, processes or waiting", () => {
  const banned =
    /\basync\b|\bawait\b|\bDate\b|Math\.random|\bset(?:Timeout|Interval|Immediate)\b|\bprocess\.|\bconsole\.|\bperformance\./;
  const offences: string[] = [];
  for (const { path, text, imports } of sources) {
    if (!PURE.some((folder) => path.startsWith(folder))) continue;
    const found = banned.exec(codeOf(text));
    if (found !== null) offences.push(`${path}: ${found[0]}`);
    for (const name of imports) {
      if (name.startsWith("node:") && !(path in NODE_IN_PURE)) offences.push(`${path}: ${name}`);
    }
  }
  expect(offences).toEqual([]);
});

test("the machine is touched only where the world is made", () => {
  const worlds = /^node:(fs|net|http|http2|tls|dgram|child_process|timers|os|dns)/;
  const offences: string[] = [];
  for (const { path, text, imports } of sources) {
    const mayTouch =
      path.startsWith("src/io/real/") ||
      path.startsWith("src/rpc/grpc/") ||
      path in MACHINE_FILES ||
      isRoot(path);
    for (const name of imports) if (worlds.test(name) && !mayTouch) offences.push(`${path}: ${name}`);
    const timers =
      /\bset(?:Timeout|Interval|Immediate)\(|\bDate\.now\(|\bMath\.random\(|\bperformance\.now\(/.exec(
        codeOf(text),
      );
    if (timers !== null && !mayTouch) offences.push(`${path}: ${timers[0]}`);
    const environment = /\bprocess\.(?:env|exit|on|argv|stdout|stderr|stdin|cwd)\b/.exec(codeOf(text));
    if (environment !== null && !isRoot(path)) offences.push(`${path}: ${environment[0]}`);
  }
  expect(offences).toEqual([]);
});

test("only listed packages are used", () => {
  const offences: string[] = [];
  for (const { path, imports } of sources) {
    for (const name of imports.filter(
      (specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"),
    )) {
      const parts = name.split("/");
      const packageName = name.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
      if (!(packageName in PACKAGES)) offences.push(`${path}: ${packageName} is not on the list`);
    }
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: object;
  };
  expect(offences).toEqual([]);
  expect(Object.keys(dependencies).sort()).toEqual(Object.keys(PACKAGES).sort());
});

test("nothing that ships imports tests, benchmarks or scripts", () => {
  const offences = sources.flatMap(({ path, imports }) =>
    imports.filter((name) => /^(\.\.\/)+(test|bench|scripts)\//.test(name)).map((name) => `${path}: ${name}`),
  );
  expect(offences).toEqual([]);
});

test("files are short enough to be read at once", () => {
  const offences = [...sources, ...sourcesUnder("test"), ...sourcesUnder("bench")]
    .filter(({ path }) => !(path in LONG_FILES))
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
  expect(offences).toEqual([]);
});

test("there is no drawer, no unfinished mark and no escape from the types", () => {
  const offences: string[] = [];
  for (const { path, text } of sources) {
    if (path.startsWith("src/rpc/gen/")) continue;
    if (/\/(utils?|common|helpers?|lib|shared|misc)(\/|\.ts$)/.test(path)) offences.push(`${path}: a drawer`);
    if (/\b(TODO(?! #\d)|FIXME|XXX|HACK)\b/.test(text)) offences.push(`${path}: unfinished mark`);
    const code = codeOf(text);
    if (/\bas any\b|: any\b|@ts-ignore|@ts-nocheck/.test(code + text.replace(/[^@]*(@ts-\w+)?/g, "$1")))
      offences.push(`${path}: any`);
    if (/^export default\b/m.test(code)) offences.push(`${path}: default export`);
    if (/^\s*(?:const |export const |export )?enum\b/m.test(code)) offences.push(`${path}: enum`);
  }
  expect(offences).toEqual([]);
});
