/**
 * The client library in one page. Against a cluster that runs (`npm start` prints how to reach it):
 *
 *     PSTORAGE_ROOT=... npx tsx examples/quick-start.ts NAME
 *
 * A program that has installed the package imports from "pstorage" instead.
 */
import { pathToFileURL } from "node:url";
import { type Cluster, connectCluster, readStream, writeAll } from "../src/client/connect.js";

/** Stores a few things, reads them back, and says what it saw. */
export async function quickStart(cluster: Cluster, print: (line: string) => void): Promise<void> {
  const { fileSystem } = cluster;
  await fileSystem.mkdirp("/quick-start");

  // Whole files. With `sync` they survive the loss of power everywhere when the promise resolves.
  await fileSystem.writeFile("/quick-start/hello", "Hello, cluster!", { sync: true });
  print(new TextDecoder().decode(await fileSystem.readFile("/quick-start/hello")));

  // A handle: any number of requests at once, at any offset.
  const disk = await fileSystem.open("/quick-start/disk", { access: "write", create: true });
  try {
    await Promise.all([
      disk.write(new Uint8Array(4096).fill(1), 0),
      disk.write(new Uint8Array(4096).fill(2), 1024 * 1024),
    ]);
    await disk.sync();
    const [first] = await disk.read(1024 * 1024, 1);
    print(`the file has ${await disk.size()} bytes; one of them is ${first}`);
  } finally {
    await disk.close();
  }

  // Streams, for what is too large to be held in memory.
  const copy = await fileSystem.open("/quick-start/copy", { access: "write", create: true });
  const source = await fileSystem.open("/quick-start/disk");
  try {
    print(`copied ${await writeAll(copy, readStream(source))} bytes`);
  } finally {
    await source.close();
    await copy.close();
  }

  for await (const { name, attributes } of fileSystem.readdir("/quick-start", { withAttributes: true })) {
    print(`${new TextDecoder().decode(name)} ${attributes?.sizeBytes}`);
  }
  await fileSystem.removeTree("/quick-start");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const cluster = await connectCluster({ cluster: process.argv[2] ?? "", timeoutMs: 30_000 });
  try {
    await quickStart(cluster, (line) => console.log(line));
  } finally {
    await cluster.close();
  }
}
