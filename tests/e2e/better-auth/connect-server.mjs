// The server side of the files of docs/connect.md, compiled into BUILD: what Next.js does with them, without it. Listens on PORT.
import { createServer } from "node:http";
import { once } from "node:events";
import { Readable } from "node:stream";

const { register } = await import("@/instrumentation");
await register();
const handlers = await import("@/app/api/auth/[...all]/route");

const server = createServer(async (incoming, outgoing) => {
  const { method, headers } = incoming;
  const body = ["GET", "HEAD"].includes(method) ? undefined : Readable.toWeb(incoming);
  const request = new Request(new URL(incoming.url, process.env.BETTER_AUTH_URL), { method, headers, body, duplex: "half" });
  const response = await handlers[method](request);
  outgoing.writeHead(response.status, [...response.headers].flat());
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
server.listen(Number(process.env.PORT), "127.0.0.1");
await once(server, "listening");
process.once("SIGTERM", () => process.exit());
console.log(JSON.stringify({ url: process.env.BETTER_AUTH_URL }));
