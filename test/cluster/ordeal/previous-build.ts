import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Lab } from "../../../src/cli/lab/lab.js";
import type { connectCluster } from "../../../src/client/connect.js";

const CHECKOUT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
/** The packages that it needs are found from there. Each build is made once. */
const KEPT = join(CHECKOUT, "node_modules/.cache/pstorage-builds");

/** The program as it was at some commit, and what of it can be called from here. */
export interface PreviousBuild {
  readonly directory: string;
  /** Its daemons are those of that build. */
  readonly Lab: typeof Lab;
  readonly connectCluster: typeof connectCluster;
}

/** Why there is no such build; undefined: it can be made. */
export function noPreviousBuild(commit: string): string | undefined {
  try {
    execFileSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: CHECKOUT, stdio: "ignore" });
    return undefined;
  } catch {
    return `the sources of ${commit} are not here (no git, or a shallow clone)`;
  }
}

/**
 * Builds it, unless that was done before; with what later commits, `mends`, changed in its sources: bugs that would end the test
 * whatever the present program does.
 */
export async function previousBuild(commit: string, mends: readonly string[] = []): Promise<PreviousBuild> {
  const directory = join(KEPT, [commit, ...mends.map((mend) => mend.slice(0, 8))].join("-"));
  if (!existsSync(directory)) make(commit, mends, directory);
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(directory, path)).href);
  const lab = (await load("dist/cli/lab/lab.js")) as Pick<PreviousBuild, "Lab">;
  const client = (await load("dist/client/connect.js")) as Pick<PreviousBuild, "connectCluster">;
  return { directory, Lab: lab.Lab, connectCluster: client.connectCluster };
}

function make(commit: string, mends: readonly string[], directory: string): void {
  mkdirSync(KEPT, { recursive: true });
  const place = mkdtempSync(join(KEPT, "making-"));
  try {
    const archive = execFileSync("git", ["archive", commit], { cwd: CHECKOUT, maxBuffer: 1 << 30 });
    execFileSync("tar", ["-x", "-C", place], { input: archive });
    for (const mend of mends) {
      const change = execFileSync("git", ["diff", `${mend}^`, mend, "--", "src"], { cwd: CHECKOUT });
      execFileSync("git", ["apply", "--unsafe-paths", `--directory=${place}`], { cwd: "/", input: change });
    }
    const compiler = join(CHECKOUT, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: place });
    renameSync(place, directory);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
