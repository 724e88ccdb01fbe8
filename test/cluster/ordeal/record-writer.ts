import { connectCluster } from "../../../src/client/connect.js";
import { RECORD_BYTES, recordBytes } from "./records.js";

/**
 * A client process of its own, to be killed: `record-writer CLUSTER ROOT PATH` writes record after record, and prints the
 * number of each one once it is acknowledged. What ends its writing is printed as a code.
 */
const [cluster = "", root = "", path = ""] = process.argv.slice(2);
const connection = await connectCluster({ cluster, root });
const handle = await connection.fileSystem.open(path, { access: "write", create: true });
try {
  for (let index = 0; ; index++) {
    await handle.write(recordBytes(index), index * RECORD_BYTES);
    process.stdout.write(`${index}\n`);
  }
} catch (error) {
  const { failure } = error as { failure?: { code: string } };
  process.stdout.write(`${failure?.code ?? String(error)}\n`);
}
process.exit(0);
