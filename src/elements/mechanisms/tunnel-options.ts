/** Shared by both sides of a tunnel's negotiation. */
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { hasCode, NetloomError, reasonOf } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { refusedStep } from "../../forwarder/reconcile/explain.ts";
import type { WayPair, TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import type { IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import type { RemoteType, Settings, TunnelHost } from "../../mechanisms/mechanism-type.ts";
import { COMMON, mtuOf, type ParameterMap, smallerMtu } from "../../mechanisms/parameters.ts";
import { otherSide, type Side } from "../../mechanisms/side.ts";
import { familyOf } from "../../net/ip.ts";
import { contextOf } from "../connection.ts";

export interface TunnelOptions {
  /** Addresses of this host's VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  /** Returns whether this host has the address now, so that a new tunnel may use it. Default: true. */
  readonly isUsable?: (address: string) => boolean;
  /** Widths of the ways to other hosts. */
  readonly ways: TunnelWays;
  /** Settings by type. Default: each type's own. */
  readonly settings?: Readonly<Record<string, Settings>>;
  /** The identifiers in use; all forwarders of a host share one. */
  readonly identifiers: IdentifierPools;
  /** The identifier that an earlier process used for the wire's tunnel towards `side`, so that a restart keeps it. */
  readonly recall?: (wireId: string, type: string, side: Side) => number | undefined;
}

/** Width of the network between the hosts if it is unknown. */
const USUAL_WIDTH = 1_500;

/**
 * This host with its current addresses and `kept`, the address of an existing tunnel. So the tunnel keeps an address
 * that the host loses for a short time.
 */
export function tunnelHost(options: TunnelOptions, type: RemoteType, kept?: string): TunnelHost {
  const { addresses, settings, isUsable = () => true } = options;
  return {
    addresses: addresses.filter((each) => each === kept || isUsable(each)),
    settings: settings?.[type.type] ?? {},
  };
}

/** An identifier of a tunnel, and the host on which it is in use. */
export interface TakenIdentifier {
  readonly id: number;
  readonly host: string;
  readonly cause?: NetloomError;
}

/** The far side's refusal of a proposed identifier. The near side then proposes another one. */
export function taken({ identifier }: RemoteType, { id, host, cause }: TakenIdentifier): NetloomError {
  const { key, noun } = identifier;
  return new NetloomError("ALREADY_EXISTS", `make a tunnel to ${host}: ${noun} ${id} is taken`, {
    reason: reason("TUNNEL_IDENTIFIER_TAKEN", { identifier: key, value: String(id), host }),
    cause,
  });
}

/**
 * Returns whether the far side, or this host's kernel, refused this identifier. A far side of release 0.1.0 gives no
 * reasons, so any ALREADY_EXISTS without a reason counts.
 */
export function isTaken(error: unknown, type: RemoteType, id: number): boolean {
  const said = reasonOf(error, "TUNNEL_IDENTIFIER_TAKEN");
  if (said) return said.identifier === type.identifier.key && said.value === String(id);
  return (hasCode(error, "ALREADY_EXISTS") && error.reason === undefined) || isClash(error, type, id);
}

/** Returns whether this host's kernel refused the identifier because of a device that is not Netloom's. */
export function isClash(error: unknown, { identifier }: RemoteType, id: number): boolean {
  const refused = refusedStep(error);
  return refused?.errno === "EEXIST" && identifier.isHeldBy(refused.step.object, id);
}

/** Limits the wire's MTU to that of its tunnel. */
export function limitMtu(connection: Connection, mechanism: Mechanism | undefined): void {
  const mtuBytes = mtuOf(mechanism?.parameters ?? {});
  if (mtuBytes === 0) return;
  const context = contextOf(connection);
  context.MTU = smallerMtu(context.MTU, mtuBytes);
}

/** The way of a tunnel to `towards`. `undefined` for parameters that make no tunnel: they are refused when the tunnel is made. */
export function wayPair(
  options: TunnelOptions,
  type: RemoteType,
  { parameters, towards }: { readonly parameters: ParameterMap; readonly towards: Side },
): WayPair | undefined {
  const read = type.read(parameters);
  if (!read.ok) return undefined;
  const { source, destination } = type.vteps(read.value);
  const ends = { client: source, endpoint: destination };
  return {
    from: ends[otherSide(towards)],
    to: ends[towards],
    udpPort: type.udpPort(tunnelHost(options, type).settings),
  };
}

/** The parameters with the MTU for a network of this width; if the width is `undefined`, without an MTU. */
export function ofWidth(
  type: RemoteType,
  parameters: ParameterMap,
  widthBytes: number | undefined,
): Record<string, string> {
  const { [COMMON.mtu]: _mtu, ...rest } = parameters;
  if (widthBytes === undefined) return rest;
  return { ...rest, [COMMON.mtu]: String(Math.max(1, widthBytes - overheadOf(type, parameters))) };
}

/** The parameters with their MTU limited to this width; the usual width if neither has one. */
export function narrowed(
  type: RemoteType,
  parameters: ParameterMap,
  widthBytes: number | undefined,
): Record<string, string> {
  const own = mtuOf(ofWidth(type, parameters, widthBytes));
  const agreed = smallerMtu(mtuOf(parameters), own) || USUAL_WIDTH - overheadOf(type, parameters);
  return { ...parameters, [COMMON.mtu]: String(agreed) };
}

/** The width of the network that a tunnel with these parameters needs. */
export function widthUsed(type: RemoteType, parameters: ParameterMap): number {
  return mtuOf(parameters) + overheadOf(type, parameters);
}

function overheadOf(type: RemoteType, parameters: ParameterMap): number {
  return type.overheadBytes(familyOf(parameters[COMMON.sourceIp] ?? ""));
}
