import { spawn, spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout: what images are built from. */
export const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What a program said on standard output. */
export interface Said {
  readonly status: number;
  readonly output: Buffer;
  readonly errors: string;
}

/** Runs a program to its end, with that input and those additions to the environment. */
export function run(
  command: readonly string[],
  { input, env = {} }: { readonly input?: Uint8Array; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Said> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: CHECKOUT, env: { ...process.env, ...env } });
    const [output, errors]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
    child.on("error", reject);
    // Who does not read all of its input says so by its status.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
    child.on("close", (status) =>
      resolve({
        status: status ?? 1,
        output: Buffer.concat(output),
        errors: Buffer.concat(errors).toString(),
      }),
    );
  });
}

/** How compose is called here: a part of docker, or Debian's program; undefined: not at all. */
export function composeCommand(): readonly string[] | undefined {
  return [["docker", "compose"], ["docker-compose"]].find(
    ([program = "", ...args]) => spawnSync(program, [...args, "version"]).status === 0,
  );
}

/** Why nothing can be tried with containers here; undefined: it can. */
export function noEngine(nodeImage: string): string | undefined {
  const engine = spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { encoding: "utf8" });
  if (engine.error !== undefined) return "docker is not installed";
  if (engine.status !== 0) return `no Docker engine answers: ${engine.stderr.trim().split("\n").at(-1)}`;
  if (composeCommand() === undefined) return "neither docker compose nor docker-compose is installed";
  if (spawnSync("docker", ["image", "inspect", nodeImage]).status === 0) return undefined;
  if (spawnSync("docker", ["pull", nodeImage]).status === 0) return undefined;
  return `the image ${nodeImage} is not there and cannot be fetched; name one by NODE_IMAGE, or make one with node scripts/node-image.mjs NAME`;
}
