/** Every name and number that a wire derives: equal in every process, so that a restart finds its objects again. */
import { hash64 } from "../net/hash.ts";
import { otherSide, type Side } from "./side.ts";

/** For ids: the alias of a device holds 255 bytes, 13 of them say what the device is. */
export const CONNECTION_ID_BYTES = 242;

/** `server-<id>` on the client's side and `client-<id>` on the endpoint's, as upstream: a forwarder is server to its client. */
export function workloadAlias(connectionId: string, side: Side): string {
  return `${side === "client" ? "server" : "client"}-${connectionId}`;
}

/** Alias of a device of the host, on the way to `side`: `veth-server-<id>`, as upstream. `what` has at most five letters. */
export function halfAlias(what: string, connectionId: string, side: Side): string {
  return `${what}-${workloadAlias(connectionId, side)}`;
}

/** In the aliases of the pair between two ports. */
export const PATCH = "patch";

/** What an alias of ours says, `undefined` if it is none. `what` is empty for the device in a workload. */
export function readAlias(
  alias: string,
): { readonly what: string; readonly side: Side; readonly owner: string } | undefined {
  const [, what = "", role, owner] =
    /^(?:(?!server-|client-|host-)([a-z]{1,5})-)?(server|client)-(.+)$/s.exec(alias) ?? [];
  if (role === undefined || owner === undefined) return undefined;
  return { what, side: role === "server" ? "client" : "endpoint", owner };
}

/** The side of its wire that is right beside a device of the host: of a pair with a workload the other one. */
export function sideBeside({ what, side }: { readonly what: string; readonly side: Side }): Side {
  return what === PATCH ? side : otherSide(side);
}

/** The connection id in an alias of ours, `undefined` if it is none. */
export function ownerOfAlias(alias: string): string | undefined {
  return readAlias(alias)?.owner;
}

/** Which end of its wire a device in a workload is; `undefined` for other devices. */
export function sideOfAlias(alias: string): Side | undefined {
  const read = readAlias(alias);
  return read?.what === "" ? read.side : undefined;
}

/** Name of a device of the host: `prefix`, three letters, and twelve digits to the base of 36 make the 15 bytes of a name. */
export function deviceName(prefix: `nl${string}`, parts: readonly (string | number)[]): string {
  const digits = (digest([prefix, ...parts]) % 36n ** 12n).toString(36);
  return prefix + digits.padStart(12, "0");
}

function digest(parts: readonly (string | number)[]): bigint {
  return hash64(parts.join("\n"));
}
