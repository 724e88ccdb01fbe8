/**
 * `run-workload.ts DIRECTORY SEED`: works until its standard input ends, then prints how long programs had to wait. A process
 * of its own: calls that wait for the cluster take up its threads, not those of the test that starts the cluster again.
 */
import { Prng } from "../../src/base/index.js";
import { Workload } from "./workload.js";

const [directory = "", seed = "0"] = process.argv.slice(2);
const work = new Workload(directory, new Prng(Number(seed)));
process.stdin.on("data", () => undefined);
process.stdin.on("end", () => {
  work.stop().then(
    () => process.stdout.write(`${work.calls}\n`),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    },
  );
});
await work.start();
process.stdout.write("working\n");
