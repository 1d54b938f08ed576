/**
 * Keeps every address unique in a workload. Upstream does that at each client
 * (sdk/pkg/networkservice/common/excludedprefixes). A client only knows its own connections, and only after their
 * answers.
 */
import { copyMessage } from "../../api/copy-message.ts";
import { MAX_EXCLUDED } from "../../api/wire-limits.ts";
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { memoryKey } from "../../chain/call.ts";
import { AddressesTaken, type Claims, type Taken } from "../../forwarder/claims/claims.ts";
import { validateWire } from "../../forwarder/plan/validate.ts";
import type { Wire } from "../../forwarder/wire.ts";
import { contains, formatPrefix, parsePrefix, type IpPrefix } from "../../net/ip.ts";
import { fewestPrefixes } from "../../net/cover.ts";
import { NetloomError } from "../../errors/errors.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "../connection.ts";
import { deviceOf, readMechanism } from "../../mechanisms/list.ts";
import { INCOMING } from "../mechanisms/translate-mechanism.ts";
import { wireIdOf } from "./wire-id.ts";
import { wireOf } from "./wire-of.ts";

/** A limit, because another wire may take the addresses first each time. */
const MAX_ATTEMPTS = 8;

const TAKEN = memoryKey<{ readonly wireId: string; readonly taken: Taken }>("claim-addresses: taken");

/**
 * Guarantees
 * - A request excludes the addresses of the workload's other wires and its own network, in as few prefixes as possible.
 *   The answer has only the client's own exclusions.
 * - The addresses of an answer for workloads of this host are claimed before any object is made. If one is taken,
 *   another request to the endpoint excludes all taken addresses. An endpoint that answers with an excluded address is
 *   ALREADY_EXISTS.
 */
export function claimAddresses(claims: Claims): ConnectionElement {
  return {
    name: "claim-addresses",
    async request(call, request, next) {
      const client = call.memory.get(INCOMING);
      const connection = connectionOf(request);
      const own = ipContextOf(connection).excludedPrefixes;
      const workload = client && deviceOf(readMechanism(client));
      let others = workload ? await claims.held(workload.netns, wireIdOf(connection)) : [];
      let last: Connection | undefined;
      for (let attempt = 1; ; attempt++) {
        const asked = copyMessage(request);
        // With the path of the last answer, the stations recognise a repetition as the same connection.
        if (last?.path) connectionOf(asked).path = copyMessage(last.path);
        const added = exclude(connectionOf(asked), others);
        const answer = await next(asked);
        takeOut(answer, added);
        const wanted = client && readWire(answer, client);
        // The element `wire` refuses an answer that makes no wire.
        if (!wanted) return answer;
        try {
          call.memory.set(TAKEN, { wireId: wanted.connectionId, taken: await claims.claim(wanted) });
          return answer;
        } catch (error) {
          if (!(error instanceof AddressesTaken) || attempt === MAX_ATTEMPTS) throw error;
          const said = [...others, ...own.flatMap((text) => parsePrefix(text) ?? [])];
          if (error.addresses.every((each) => isWithin(each, said))) throw error;
          others = fewestPrefixes([...others, ...error.prefixes]);
          last = answer;
        }
      }
    },
    async close(call, connection, next) {
      const held = call.memory.delete(TAKEN);
      // The addresses are released after the removal of the connection's kernel objects.
      if (held) claims.release(held.wireId, held.taken);
      await next(connection);
    },
  };
}

/** Adds the prefixes and returns the new ones. If they are too many for a message, the claim detects it. */
function exclude(connection: Connection, prefixes: readonly IpPrefix[]): ReadonlySet<string> {
  const ip = ipContextOf(connection);
  const own = new Set(ip.excludedPrefixes);
  const added = prefixes
    .map(formatPrefix)
    .filter((each) => !own.has(each))
    .slice(0, Math.max(0, MAX_EXCLUDED - own.size));
  ip.excludedPrefixes.push(...added);
  return new Set(added);
}

function takeOut({ context }: Connection, added: ReadonlySet<string>): void {
  const ip = context?.ipContext;
  if (ip) ip.excludedPrefixes = ip.excludedPrefixes.filter((each) => !added.has(each));
}

function readWire(answer: Connection, client: Mechanism): Wire | undefined {
  try {
    const wire = wireOf(answer, client);
    return validateWire(wire).length === 0 ? wire : undefined;
  } catch (error) {
    if (error instanceof NetloomError) return undefined;
    throw error;
  }
}

function isWithin({ address }: IpPrefix, prefixes: readonly IpPrefix[]): boolean {
  return prefixes.some((each) => contains(each, address));
}
