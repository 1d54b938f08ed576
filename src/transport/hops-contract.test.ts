import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";
import { hopsContract } from "../../fixtures/transport/hops-contract.ts";

const CARRIERS: readonly (readonly [string, (t: TestContext) => Promise<string>])[] = [
  ["a unix socket", async (t) => `unix://${join(await temporaryFolder(t), "far.sock")}`],
  ["TCP over IPv4", async () => `tcp://127.0.0.1:${await freePort("127.0.0.1")}`],
  ["TCP over IPv6", async () => `tcp://[::1]:${await freePort("::1")}`],
];

for (const [carrier, addressFor] of CARRIERS) {
  suite(`gRPC on ${carrier} keeps the promises of Hops`, () => {
    for (const { title, check } of hopsContract) {
      test(title, async (t) => {
        const url = await addressFor(t);
        const [near, far] = [grpcHost(t), grpcHost(t)];
        await check({ near, far, url, kill: () => far.hops.close() });
      });
    }
  });
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen({ host, port: 0 }, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
