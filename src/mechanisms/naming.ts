/** Every name and number that a wire derives: equal in every process, so that a restart finds its objects again. */
import { hash64 } from "../net/hash.ts";
import { derivedMac } from "../net/mac.ts";
import type { Side } from "./side.ts";

/** For ids: the alias of a device holds 255 bytes, 13 of them say what the device is. */
export const CONNECTION_ID_BYTES = 242;

/** `server-<id>` on the client's side and `client-<id>` on the endpoint's, as upstream: a forwarder is server to its client. */
export function workloadAlias(connectionId: string, side: Side): string {
  return `${side === "client" ? "server" : "client"}-${connectionId}`;
}

/** Alias of the host's end of the veth pair, as upstream. */
export function hostVethAlias(connectionId: string, side: Side): string {
  return `veth-${workloadAlias(connectionId, side)}`;
}

export function tunnelAlias(connectionId: string, side: Side): string {
  return `vxlan-${workloadAlias(connectionId, side)}`;
}

/** The connection id in an alias of ours, `undefined` if it is none. */
export function ownerOfAlias(alias: string): string | undefined {
  return /^(?:veth-|vxlan-)?(?:server|client)-(.+)$/s.exec(alias)?.[1];
}

/** Which end of its wire a device in a workload is; `undefined` for other devices. */
export function sideOfAlias(alias: string): Side | undefined {
  if (/^server-./s.test(alias)) return "client";
  return /^client-./s.test(alias) ? "endpoint" : undefined;
}

export function hostVethName(connectionId: string, side: Side): string {
  return hashedName("nlv", [connectionId, side]);
}

/**
 * Another VNI, port or family is another device, made before the old one goes; the same VNI with another remote is
 * the same device, changed in place.
 */
export function tunnelName(
  connectionId: string,
  tunnel: { readonly side: Side; readonly vni: number; readonly port: number; readonly family: 4 | 6 },
): string {
  return hashedName("nlx", [connectionId, tunnel.side, tunnel.vni, tunnel.port, tunnel.family]);
}

/** MAC of the host's end of a veth pair. Nothing is ever sent to it. */
export function hostVethMac(connectionId: string, side: Side): string {
  return derivedMac(["mac", connectionId, side, "host"]);
}

/** Three letters and twelve digits to the base of 36: the 15 bytes of a device name. */
function hashedName(prefix: "nlv" | "nlx", parts: readonly (string | number)[]): string {
  const digits = (digest([prefix, ...parts]) % 36n ** 12n).toString(36);
  return prefix + digits.padStart(12, "0");
}

function digest(parts: readonly (string | number)[]): bigint {
  return hash64(parts.join("\n"));
}
