/** From the protocol's messages to the forwarder's wire. */
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import type { Route } from "../../api/gen/nsm/connectioncontext_pb.js";
import type { ConnectionContext, ContextRoute, Wire } from "../../forwarder/wire.ts";
import { NetloomError } from "../../errors/errors.ts";
import { readMechanism } from "../../mechanisms/list.ts";
import { learnedOf } from "./borrow-devices.ts";
import { stationsOf, wireIdOf } from "./wire-id.ts";

/** What the client's mechanism, and the mechanism and context that the next station has answered, make together. */
export function wireOf(answer: Connection, client: Mechanism): Wire {
  if (!answer.mechanism) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `read the answer for connection ${answer.id}: it has no mechanism`,
    );
  }
  const learned = learnedOf(stationsOf(answer));
  return {
    connectionId: wireIdOf(answer),
    client: readMechanism(client),
    endpoint: readMechanism(answer.mechanism),
    context: readContext(answer),
    ...(learned.length > 0 && { learned }),
  };
}

function readContext({ context }: Connection): ConnectionContext {
  const ip = context?.ipContext;
  const ethernet = context?.ethernetContext;
  return {
    srcIpAddrs: ip?.srcIpAddrs ?? [],
    dstIpAddrs: ip?.dstIpAddrs ?? [],
    srcRoutes: (ip?.srcRoutes ?? []).map(readRoute),
    dstRoutes: (ip?.dstRoutes ?? []).map(readRoute),
    policies: (ip?.policies ?? []).map(({ from, proto, srcPort, dstPort, routes }) => ({
      from,
      proto,
      srcPort,
      dstPort,
      routes: routes.map(readRoute),
    })),
    ipNeighbors: (ip?.ipNeighbors ?? []).map(({ ip: address, hardwareAddress }) => ({
      ip: address,
      hardwareAddress,
    })),
    ...(ethernet?.srcMac && { srcMac: ethernet.srcMac }),
    ...(ethernet?.dstMac && { dstMac: ethernet.dstMac }),
    ...(context?.MTU && { mtuBytes: context.MTU }),
  };
}

function readRoute({ prefix, nextHop }: Route): ContextRoute {
  return { prefix, ...(nextHop && { nextHop }) };
}
