/**
 * Status 0 while the daemon of this container does what it is for, by its own metrics: a metadata server knows who leads, a
 * chunk server is let serve, a mount has a cluster. Without PSTORAGE_METRICS there is nothing to ask: 0 too.
 */
const SIGNS = {
  mds: "pstorage_mds_has_leader",
  cs: "pstorage_cs_is_serving",
  client: "pstorage_client_is_connected",
};
const PATIENCE_MS = 8000;

const place = process.env.PSTORAGE_METRICS ?? "";
const sign = SIGNS[process.env.PSTORAGE_ROLE];
if (place !== "") {
  const url = `http://127.0.0.1:${place.split(":").at(-1)}/metrics`;
  const text = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
    (answer) => answer.text(),
    (error) => `${url}: ${error.cause?.message ?? error.message}`,
  );
  const line = text.split("\n").find((each) => each.startsWith(`${sign}{`) || each.startsWith(`${sign} `));
  process.stdout.write(`${line ?? text.slice(0, 200)}\n`);
  process.exitCode = line?.endsWith(" 1") ? 0 : 1;
}
