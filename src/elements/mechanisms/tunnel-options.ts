/** What both sides of a tunnel's negotiation have in common. */
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import { KernelError } from "../../kernel/kernel.ts";
import type { IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import type { RemoteType, Settings, TunnelHost } from "../../mechanisms/mechanism-type.ts";
import { mtuOf, smallerMtu } from "../../mechanisms/parameters.ts";
import type { Side } from "../../mechanisms/side.ts";
import { contextOf } from "../connection.ts";

export interface TunnelOptions {
  /** Addresses of this host's VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  /** MTU of the network between the hosts. */
  readonly underlayMtuBytes: number;
  /** By type. Default: what each type has by itself. */
  readonly settings?: Readonly<Record<string, Settings>>;
  /** One for all forwarders of a host. */
  readonly identifiers: IdentifierPools;
  /** What an earlier process used for the wire's tunnel towards `side`, so that a restart keeps it. */
  readonly recall?: (wireId: string, type: string, side: Side) => number | undefined;
}

export function tunnelHost(
  { addresses, underlayMtuBytes, settings }: TunnelOptions,
  type: RemoteType,
): TunnelHost {
  return { addresses, underlayMtuBytes, settings: settings?.[type.type] ?? {} };
}

/** What the far side says of a proposed identifier that it cannot have, so that the near side knows it among other errors. */
export function taken({ identifier }: RemoteType, id: number, host: string): NetloomError {
  return new NetloomError("ALREADY_EXISTS", `make a tunnel to ${host}: ${identifier.noun} ${id} is taken`);
}

/** Has the request failed because of this identifier: by the far side's word, or by this host's kernel? */
export function isTaken(error: unknown, type: RemoteType, id: number): boolean {
  if (!(error instanceof NetloomError) || error.code !== "ALREADY_EXISTS") return false;
  return error.message.includes(`${type.identifier.noun} ${id} is taken`) || isClash(error, type, id);
}

/** Has this host's kernel refused it, because of a stranger's device? */
export function isClash(error: unknown, { identifier }: RemoteType, id: number): boolean {
  for (let each: unknown = error; each instanceof Error; each = each.cause)
    if (each instanceof KernelError) return identifier.isClash(each, id);
  return false;
}

/** The wire is no larger than what its tunnel carries. */
export function limitMtu(connection: Connection, mechanism: Mechanism | undefined): void {
  const mtuBytes = mtuOf(mechanism?.parameters ?? {});
  if (mtuBytes === 0) return;
  const context = contextOf(connection);
  context.MTU = smallerMtu(context.MTU, mtuBytes);
}
