import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { HostFiles } from "../../../src/cli/host-files.js";
import { temporaryRoot } from "./temporary-root.js";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

type Tree = { [key: string]: Tree | string };

/**
 * As much of YAML as docker-compose.yml uses: mappings by two spaces, plain values, anchors of mappings that others take in
 * by `<<`, comments on their own lines. Sequences become mappings by number.
 */
function parseYaml(text: string): Tree {
  const top: Tree = {};
  const anchors = new Map<string, Tree>();
  const open: { readonly indent: number; readonly tree: Tree }[] = [{ indent: -1, tree: top }];
  for (const line of text.split("\n")) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, space = "", dash, rest = ""] = /^( *)(- )?(.*)$/.exec(line) ?? [];
    const indent = space.length;
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const parent = open.at(-1)?.tree ?? top;
    const [, name, value] = /^([\w.<-]+):(?: (.*))?$/.exec(rest) ?? [];
    const key = dash === undefined ? name : String(Object.keys(parent).length);
    if (indent % 2 !== 0 || key === undefined) throw new Error(`not understood: ${line}`);
    if (dash === undefined && key in parent) throw new Error(`twice: ${line}`);
    if (dash !== undefined) parent[key] = rest;
    else if (key === "<<") Object.assign(parent, mapping(anchors.get((value ?? "").slice(1))));
    else if (value === undefined || value === "{}" || value.startsWith("&")) {
      const tree: Tree = {};
      parent[key] = tree;
      if (value !== "{}") open.push({ indent, tree });
      if (value?.startsWith("&")) anchors.set(value.slice(1), tree);
    } else parent[key] = value;
  }
  return top;
}

function mapping(tree: Tree | string | undefined): Tree {
  if (typeof tree !== "object") throw new Error("a mapping was expected");
  return tree;
}

const compose = async (): Promise<Tree> =>
  parseYaml(await readFile(join(root, "docker-compose.yml"), "utf8"));

async function composeServices(): Promise<[string, Tree][]> {
  const services = Object.entries(mapping((await compose())["services"]));
  return services.map(([name, service]) => [name, mapping(service)]);
}

test("docker-compose.yml runs three metadata servers, five chunk servers and a client", async () => {
  const roles = (await composeServices()).map(
    ([, service]) => mapping(service["environment"])["PSTORAGE_ROLE"],
  );
  expect(roles).toEqual(["mds", "mds", "mds", "cs", "cs", "cs", "cs", "cs", "client"]);
});

test("in docker-compose.yml each service has its own address and volume, and the same metadata servers to begin with", async () => {
  const addresses = new Set<unknown>();
  for (const [name, service] of await composeServices()) {
    const environment = mapping(service["environment"]);
    expect(mapping(service["volumes"])).toEqual({ 0: `${name}:/data` });
    expect(mapping((await compose())["volumes"])).toHaveProperty(name);
    const address = mapping(mapping(service["networks"])["backnet"])["ipv4_address"];
    if (name !== "client") expect(environment["PSTORAGE_ADDRESS"]).toBe(address);
    expect(environment["PSTORAGE_BOOTSTRAP"]).toBe("172.30.25.11,172.30.25.12,172.30.25.13");
    expect(mapping(service["build"])["dockerfile"]).toBe("deploy/Dockerfile");
    addresses.add(address);
  }
  expect(addresses.size).toBe(9);
});

test("the password of docker-compose.yml is a file that no environment holds", async () => {
  expect(mapping((await compose())["secrets"])).toHaveProperty("pstorage_password");
  for (const [, service] of await composeServices()) {
    expect(mapping(service["environment"])).not.toHaveProperty("PSTORAGE_PASSWORD");
    expect(mapping(service["secrets"])).toEqual({ 0: "pstorage_password" });
  }
});

test("deploy/prometheus.yml asks every service of docker-compose.yml", async () => {
  const text = await readFile(join(root, "deploy/prometheus.yml"), "utf8");
  const targets = [...text.matchAll(/^ +- (\w+):9510$/gm)].map((found) => found[1]);
  expect(targets).toEqual((await composeServices()).map(([name]) => name));
});

test("what the Dockerfile copies is there, and is let through by its ignore file", async () => {
  const text = await readFile(join(root, "deploy/Dockerfile"), "utf8");
  const ignore = await readFile(join(root, ".dockerignore"), "utf8");
  const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((found) =>
    (found[1] ?? "").split(" "),
  );
  expect(copied.length).toBeGreaterThan(5);
  for (const path of copied) expect(ignore.split("\n")).toContain(`!${path}`);
  expect(text).toContain('ENTRYPOINT ["node", "/app/deploy/entrypoint.mjs"]');
});

test("the sample files are read as they are meant", async () => {
  const files = new HostFiles(await temporaryRoot());
  const place = async (sample: string, path: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await readFile(join(root, "deploy", sample)));
  };
  await place("bs.list.sample", files.bootstrapFile("stor1"));
  await place("cs.config.sample", files.path("etc/pstorage/cs.config"));
  await place("location.sample", files.path("etc/pstorage/location"));
  expect(await files.bootstrapAddresses("stor1")).toEqual([
    "10.37.130.1:2510",
    "10.37.130.2:2510",
    "10.37.130.3:2510",
  ]);
  expect((await files.services("cs")).map(({ directory }) => directory)).toEqual([
    "/disks/sdb/stor1-cs",
    "/disks/sdc/stor1-cs",
  ]);
  expect(await files.location()).toBe("1.4.2");
});
