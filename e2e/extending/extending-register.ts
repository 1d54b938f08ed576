/** Registers a network service at the registry whose URL is its one argument. */
import { create } from "@bufbuild/protobuf";
import { NetworkServiceSchema } from "../../src/api/gen/nsm/registry_pb.js";
import { stationsOver } from "../../src/api/hops.ts";
import { labIdentity } from "../../src/identity/lab-identity.ts";
import { nodeWorld } from "../../src/transport/node-world.ts";

const world = nodeWorld({ host: "register", identity: labIdentity });
try {
  const { services } = stationsOver(world.hops.dial(process.argv[2] ?? ""), world.clock);
  const deadlineMs = world.clock.monotonicMs() + 20_000;
  await services.request({ scope: world.scope, deadlineMs }, create(NetworkServiceSchema, { name: "toy" }));
} finally {
  await world.close();
}
