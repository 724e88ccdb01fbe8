/**
 * Generates src/rpc/gen/messages.ts from proto/*.proto with protobufjs-cli.
 * `node scripts/proto.mjs` writes it; `--check` fails if what is there differs from what would be written.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const result = join(root, "src/rpc/gen/messages.ts");

function generate(output) {
  const sources = readdirSync(join(root, "proto"))
    .filter((name) => name.endsWith(".proto"))
    .sort();
  const pbjs = join(root, "node_modules/protobufjs-cli/bin/pbjs");
  const target = join(root, "scripts/proto-target.cjs");
  const options = ["--target", target, "--path", join(root, "proto"), "--alt-comment", "--out", output];
  execFileSync(process.execPath, [pbjs, ...options, ...sources.map((name) => join(root, "proto", name))], {
    stdio: "inherit",
    cwd: root,
  });
}

function check() {
  const folder = mkdtempSync(join(tmpdir(), "pstorage-proto-"));
  try {
    const fresh = join(folder, "messages.ts");
    generate(fresh);
    return readFileSync(fresh, "utf8") === readFileSync(result, "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) {
  if (!check()) {
    console.error("src/rpc/gen/messages.ts is not what proto/ says. Run: node scripts/proto.mjs");
    process.exitCode = 1;
  }
} else {
  mkdirSync(dirname(result), { recursive: true });
  generate(result);
}
