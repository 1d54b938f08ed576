/** The names and numbers derived from a wire: equal in every process, so that a restart finds its objects again. */
import { hash64 } from "../net/hash.ts";
import { otherSide, type Side } from "./side.ts";

/** Most bytes of a connection id: the alias of a device holds 255 bytes, and 13 of them say what the device is. */
export const CONNECTION_ID_BYTES = 242;

/**
 * Alias of a workload's device: `server-<id>` on the client's side and `client-<id>` on the endpoint's, as upstream: a forwarder
 * is the server of its client.
 */
export function workloadAlias(connectionId: string, side: Side): string {
  return `${side === "client" ? "server" : "client"}-${connectionId}`;
}

/** Alias of a device of the host on the way to `side`: `veth-server-<id>`, as upstream. `what` has at most five letters. */
export function halfAlias(what: string, connectionId: string, side: Side): string {
  return `${what}-${workloadAlias(connectionId, side)}`;
}

/** The `what` of the pair between two ports. */
export const PATCH = "patch";

/** Parses an alias; `undefined` if it is not Netloom's. `what` is empty for the device in a workload. */
export function readAlias(
  alias: string,
): { readonly what: string; readonly side: Side; readonly owner: string } | undefined {
  const [, what = "", role, owner] =
    /^(?:(?!server-|client-|host-)([a-z]{1,5})-)?(server|client)-(.+)$/s.exec(alias) ?? [];
  if (role === undefined || owner === undefined) return undefined;
  return { what, side: role === "server" ? "client" : "endpoint", owner };
}

/** The side of the wire right beside a device of the host: for a pair with a workload it is the other side. */
export function sideBeside({ what, side }: { readonly what: string; readonly side: Side }): Side {
  return what === PATCH ? side : otherSide(side);
}

/** The connection id in an alias; `undefined` if the alias is not Netloom's. */
export function ownerOfAlias(alias: string): string | undefined {
  return readAlias(alias)?.owner;
}

/** The side of its wire that a device in a workload is; `undefined` for other devices. */
export function sideOfAlias(alias: string): Side | undefined {
  const read = readAlias(alias);
  return read?.what === "" ? read.side : undefined;
}

/**
 * Name of a device of the host: the three letters of `prefix` and twelve digits in base 36, which fill the 15 bytes of a name.
 */
export function deviceName(prefix: `nl${string}`, parts: readonly (string | number)[]): string {
  const digits = (digest([prefix, ...parts]) % 36n ** 12n).toString(36);
  return prefix + digits.padStart(12, "0");
}

function digest(parts: readonly (string | number)[]): bigint {
  return hash64(parts.join("\n"));
}
