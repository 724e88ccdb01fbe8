/** The other end of the TCP baseline, a process of its own: acknowledges every message of the size it was told. */
import { createServer } from "node:net";

const ACK = new Uint8Array(8);

const server = createServer({ noDelay: true }, (socket) => {
  let messageBytes = 0;
  let missing = 0;
  socket.on("data", (bytes) => {
    let position = 0;
    if (messageBytes === 0) {
      messageBytes = bytes.readUInt32BE(0);
      missing = messageBytes;
      position = 4;
    }
    let rest = bytes.length - position;
    while (rest >= missing) {
      rest -= missing;
      missing = messageBytes;
      socket.write(ACK);
    }
    missing -= rest;
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.(address.port);
});
process.on("disconnect", () => process.exit(0));
