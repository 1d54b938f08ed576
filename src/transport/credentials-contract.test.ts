import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { freePort } from "../../fixtures/transport/attack.ts";
import { X509Authority } from "../../fixtures/transport/certificate.ts";
import { credentialsContract } from "../../fixtures/transport/credentials-contract.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";

const CARRIERS: readonly (readonly [string, (t: TestContext) => Promise<string>])[] = [
  ["a unix socket", async (t) => `unix://${join(await temporaryFolder(t), "far.sock")}`],
  ["TCP", async () => `tcp://127.0.0.1:${await freePort()}`],
];

for (const [carrier, addressFor] of CARRIERS) {
  suite(`gRPC on ${carrier} keeps the promises of Credentials`, () => {
    for (const { title, check } of credentialsContract) {
      test(title, async (t) => {
        const [near, far, url] = [grpcHost(t), grpcHost(t), await addressFor(t)];
        await check({ near, far, url, newAuthority: (name) => new X509Authority(name) });
      });
    }
  });
}
