/** Calls the URL of its argument once for each line of standard input, and prints who has answered, and where that is now. */
import { createInterface } from "node:readline";
import { rootScope } from "../async/task-scope.ts";
import { NetloomError } from "../errors/errors.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";
import { GrpcHops } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";

const url = process.argv[2] ?? "";
const clock = nodeClock();
const scope = rootScope("caller", clock);
const hops = new GrpcHops({ clock, scope, credentials: () => PLAIN_CREDENTIALS, log: () => undefined });
const hop = hops.dial(url);

async function orWhy(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof NetloomError) return error.message;
    throw error;
  }
}

for await (const _line of createInterface(process.stdin)) {
  const who = await orWhy(async () => {
    const { bytes } = await hop.call(
      "/test.Test/Call",
      { bytes: new Uint8Array(), metadata: {} },
      { timeoutMs: 5_000 },
    );
    return new TextDecoder().decode(bytes);
  });
  const where = await orWhy(async () => (await hops.addressesOf(url)).join(" "));
  console.log(`${who} at ${where}`);
}
await hops.close();
await scope.end();
