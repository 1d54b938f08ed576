/**
 * The near side of a tunnel, for every tunnel type. Upstream: one client element for each, and
 * common/mechanisms/vxlan/vni.
 */
import { copyMessage } from "../../api/copy-message.ts";
import { create } from "@bufbuild/protobuf";
import { MechanismSchema, type Connection } from "../../api/gen/nsm/connection_pb.js";
import { type NetworkServiceRequest } from "../../api/gen/nsm/networkservice_pb.js";
import { isLocalUrl } from "../../api/directory.ts";
import { memoryKey } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { COMMON, readNumber } from "../../mechanisms/parameters.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { isClash, isTaken, ofWidth, tunnelHost, type TunnelOptions } from "./tunnel-options.ts";
import { wireIdOf } from "../wires/wire-id.ts";

const ATTEMPTS = 3;

/** The identifier of an existing tunnel. */
interface Held {
  readonly type: RemoteType;
  readonly id: number;
}

const HELD = memoryKey<Held>("tunnels: held");

/**
 * Offers tunnels to a next station on another host.
 *
 * Guarantees
 * - Each type offers one preference for every address family of this host, best first, and the far side takes one of
 *   them. The identifiers of the others are released. The far side's address is still unknown, so an offer has an MTU
 *   only if the settings limit it (`fitTunnel`).
 * - An identifier is free on this host, and stays the same until a host refuses it.
 * - If an identifier is taken on one of the hosts, by Netloom or by another program, a request with another one
 *   follows: at most three requests, then ALREADY_EXISTS.
 */
export function tunnels(
  options: TunnelOptions,
  types: readonly RemoteType[] = REMOTE_TYPES,
): ConnectionElement {
  const { identifiers } = options;
  const giveBack = ({ type, id }: Held, holder: string): void => identifiers.of(type).release(id, holder);
  return {
    name: "tunnels",
    async request(call, request, next) {
      if (isLocalUrl(call.nextUrl ?? "")) return await next(request);
      const connection = connectionOf(request);
      const kept = connection.mechanism?.parameters[COMMON.sourceIp];
      demandAddress(options, kept);
      const { id } = connection;
      const before = call.memory.get(HELD);
      let refused: readonly RemoteType[] = [];
      for (let attempt = 1; ; attempt++) {
        const proposed = types.map((type): Held => {
          const known = refused.includes(type) ? undefined : knownId(options, { type, connection, before });
          return {
            type,
            id: known ?? identifiers.of(type).take(wireIdOf(connection), { holder: id, attempt }),
          };
        });
        try {
          const answer = await next(offer(request, { options, proposed, before, kept }));
          const held = keep(answer, { options, proposed });
          for (const each of [...proposed, ...(before ? [before] : [])])
            if (!isSame(each, held)) giveBack(each, id);
          if (held) call.memory.set(HELD, held);
          else call.memory.delete(HELD);
          return answer;
        } catch (error) {
          refused = proposed.filter((each) => isTaken(error, each.type, each.id)).map(({ type }) => type);
          for (const each of proposed) {
            if (!isSame(each, before)) giveBack(each, id);
            if (isClash(error, each.type, each.id)) identifiers.of(each.type).avoid(each.id);
          }
          if (refused.length === 0 || attempt === ATTEMPTS || call.scope.ended) throw error;
        }
      }
    },
    async close(call, connection, next) {
      try {
        await next(connection);
      } finally {
        const held = call.memory.delete(HELD);
        if (held) giveBack(held, connection.id);
      }
    },
  };
}

/** Throws unless this host has an address: a current one, or the address of this tunnel. */
function demandAddress({ addresses, isUsable = () => true }: TunnelOptions, kept: string | undefined): void {
  if (addresses.some((each) => each === kept || isUsable(each))) return;
  if (addresses.length > 0)
    throw new NetloomError(
      "FAILED_PRECONDITION",
      `make a tunnel: this host does not have ${addresses.join(" and ")} now`,
      {
        topic: "NL-404",
        reason: reason("NO_TUNNEL_ADDRESS", { addresses: addresses.join(",") }),
        hint: "give it the address, or start its agent with another --tunnel-ip: netloom status",
      },
    );
  throw new NetloomError("FAILED_PRECONDITION", "make a tunnel: this host has no address for tunnels", {
    topic: "NL-404",
    reason: reason("NO_TUNNEL_ADDRESS", { addresses: "" }),
    hint: "give the agent an underlay address",
  });
}

/** The identifier of the existing tunnel, or of the tunnel of an earlier process, if it is still free. */
function knownId(
  { identifiers, recall }: TunnelOptions,
  {
    type,
    connection,
    before,
  }: { readonly type: RemoteType; readonly connection: Connection; readonly before: Held | undefined },
): number | undefined {
  const wireId = wireIdOf(connection);
  const known = before?.type === type ? before.id : recall?.(wireId, type.type, "endpoint");
  return known !== undefined && identifiers.of(type).claim(known, wireId, connection.id) ? known : undefined;
}

function offer(
  request: NetworkServiceRequest,
  {
    options,
    proposed,
    before,
    kept,
  }: {
    readonly options: TunnelOptions;
    readonly proposed: readonly Held[];
    readonly before: Held | undefined;
    /** This host's end of the existing tunnel. */
    readonly kept: string | undefined;
  },
): NetworkServiceRequest {
  const offered = copyMessage(request);
  for (const { type, id } of proposed)
    for (const parameters of type.offers(tunnelHost(options, type, kept)))
      offered.mechanismPreferences.push(
        create(MechanismSchema, {
          cls: type.cls,
          type: type.type,
          parameters: {
            ...ofWidth(type, parameters, options.ways.mostBytes),
            [type.identifier.key]: String(id),
          },
        }),
      );
  const connection = connectionOf(offered);
  const own = proposed.find(({ type }) => type.type === connection.mechanism?.type);
  // Otherwise the station would keep the mechanism with the old identifier instead of the new preference.
  if (!own || !isSame(own, before)) delete connection.mechanism;
  return offered;
}

/** Keeps the tunnel that the far side took. If the far side has chosen another identifier, the kernel uses that identifier. */
function keep(
  answer: Connection,
  { options, proposed }: { readonly options: TunnelOptions; readonly proposed: readonly Held[] },
): Held | undefined {
  const { mechanism } = answer;
  const own = mechanism ? proposed.find(({ type }) => type.type === mechanism.type) : proposed[0];
  if (!own) return undefined;
  const { type } = own;
  const answered = readNumber(mechanism?.parameters[type.identifier.key], type.identifier.last) ?? own.id;
  if (answered === own.id) return own;
  const isFree = options.identifiers.of(type).claim(answered, wireIdOf(answer), answer.id);
  return isFree ? { type, id: answered } : own;
}

function isSame(a: Held, b: Held | undefined): boolean {
  return a.type === b?.type && a.id === b.id;
}
