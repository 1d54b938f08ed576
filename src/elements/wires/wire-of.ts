/** Converts the protocol's messages to the forwarder's wire. */
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import type { Route } from "../../api/gen/nsm/connectioncontext_pb.js";
import type { ConnectionContext, ContextRoute, PolicyRoute, Wire } from "../../forwarder/wire.ts";
import { PAYLOAD_ETHERNET, PAYLOAD_IP } from "../../api/payload.ts";
import { NetloomError } from "../../errors/errors.ts";
import { deviceOf, readMechanism } from "../../mechanisms/list.ts";
import { formatPrefix, isFullLength, parsePrefix } from "../../net/ip.ts";
import { learnedOf } from "./borrow-devices.ts";
import { guardOf } from "./wire-guard.ts";
import { stationsOf, wireIdOf } from "./wire-id.ts";

/** Builds the wire from the client's mechanism and from the mechanism and context of the next station's answer. */
export function wireOf(answer: Connection, client: Mechanism): Wire {
  if (!answer.mechanism) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `read the answer for connection ${answer.id}: it has no mechanism`,
    );
  }
  const own = readMechanism(client);
  const context = readContext(answer);
  const sources = deviceOf(own)?.sources;
  const learned = learnedOf(stationsOf(answer));
  return {
    connectionId: wireIdOf(answer),
    client: own,
    endpoint: readMechanism(answer.mechanism),
    context: sources ? routedFor(sources, context) : context,
    ...(learned.length > 0 && { learned }),
    ...((answer.payload === PAYLOAD_ETHERNET || answer.payload === PAYLOAD_IP) && {
      payload: answer.payload,
    }),
    ...guardOf(answer),
  };
}

/**
 * For a workload that forwards for others: limits all routes, except the routes to the far end itself, to packets from
 * `sources`. So the wires of many clients can have the same routes.
 */
function routedFor(sources: readonly string[], context: WholeContext): ConnectionContext {
  const { srcRoutes, dstIpAddrs, policies } = context;
  const far = new Set(dstIpAddrs.map(hostPrefix));
  const isForAll = ({ prefix }: ContextRoute): boolean => far.has(hostPrefix(prefix));
  const rest = srcRoutes.filter((route) => !isForAll(route));
  const withSource = (policy: PolicyRoute): PolicyRoute[] =>
    policy.from ? [policy] : sources.map((from) => ({ ...policy, from }));
  return {
    ...context,
    srcRoutes: srcRoutes.filter(isForAll),
    policies: [...policies, ...(rest.length > 0 ? [{ routes: rest }] : [])]
      .flatMap(withSource)
      .flatMap(ofOwnFamily),
  };
}

/**
 * The policy with the routes of its own family, because a routing table has one family. A policy without a route of its
 * family is dropped: it would match all packets.
 */
function ofOwnFamily(policy: PolicyRoute): PolicyRoute[] {
  const { from = "", routes = [] } = policy;
  const isIpv6 = from.includes(":");
  const own = routes.filter(({ prefix }) => prefix.includes(":") === isIpv6);
  return routes.length > 0 && own.length === 0 ? [] : [{ ...policy, routes: own }];
}

/** The host prefix of an address with any prefix length; a network unchanged. */
function hostPrefix(text: string): string {
  const prefix = parsePrefix(text);
  return prefix && isFullLength(prefix) ? formatPrefix(prefix) : text;
}

/** A context with all lists set, as in an answer. */
type WholeContext = ConnectionContext &
  Required<Pick<ConnectionContext, "srcRoutes" | "dstIpAddrs" | "policies">>;

function readContext({ context }: Connection): WholeContext {
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
