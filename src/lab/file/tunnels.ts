/** Chooses the tunnel of a wire between hosts: a path with room for the tunnel's headers, and an identifier. */
import { checkMtu } from "../../documents/fragments/mtu.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import { hash64 } from "../../net/hash.ts";
import { quote } from "../../text/problem.ts";
import type { UnderlayRouting } from "../topology/underlay.ts";
import type { Draft } from "./wire-draft.ts";

/** The family that carries the tunnel of a wire; `undefined` for a wire within a host, or without a path. */
export function chooseTunnel(
  draft: Draft,
  routing: UnderlayRouting,
  allLinksKnown: boolean,
  addresses: readonly string[],
): 4 | 6 | undefined {
  const { part, findings, client, endpoint } = draft;
  const type = tunnelTypeOf(draft);
  const hasIpv6 = addresses.some((address) => address.includes(":"));
  const tooSmall = checkMtu(part.mtu, ["mtu"], { hasIpv6, remedy: "set addresses to ipv4" });
  for (const { path: at, message } of tooSmall) findings.add(at, message);
  if (client.host === endpoint.host) {
    for (const key of tunnelKeys()) {
      if (valueOf(draft, key) !== undefined)
        findings.add(
          [key],
          `both sides are on ${client.host}: a wire within a host has no tunnel; remove this`,
        );
    }
    return undefined;
  }
  const wanted =
    part.underlay === undefined
      ? ([4, 6] as const)
      : part.underlay === "ipv4"
        ? ([4] as const)
        : ([6] as const);
  for (const family of wanted) {
    const tunnel = routing.tunnelPath(client.host, endpoint.host, family);
    if (!tunnel) continue;
    const roomBytes = tunnel.mtuBytes - type.overheadBytes(family);
    const onThePath = `the path from ${client.host} to ${endpoint.host} carries ${tunnel.mtuBytes} bytes, which leaves ${roomBytes} inside ${type.type} over IPv${family}`;
    if (part.mtu !== undefined && part.mtu > roomBytes) {
      findings.add(
        ["mtu"],
        `${part.mtu} bytes do not fit: ${onThePath}; lower it, or raise the MTU of the links`,
      );
    } else if (hasIpv6 && roomBytes < IPV6_MIN_MTU) {
      findings.add(
        [],
        `IPv6 does not fit: it needs an MTU of 1280, but ${onThePath}; raise the MTU of the links, or set addresses to ipv4`,
      );
    }
    return family;
  }
  if (allLinksKnown) {
    const what = wanted.length === 2 ? "no path" : `no IPv${wanted[0]} path`;
    findings.add(
      [],
      `${what} from ${client.host} to ${endpoint.host}; add a link between them, or links over a router`,
    );
  }
  return undefined;
}

/** Identifiers of the wires between hosts: those in the file, and for the others free ones from the hash of their names. */
export function chooseIdentifiers(drafts: readonly Draft[]): Map<Draft, number> {
  const remote = drafts.filter(({ client, endpoint }) => client.host !== endpoint.host);
  const chosen = new Map<Draft, number>();
  for (const type of REMOTE_TYPES)
    chooseOfType(
      type,
      remote.filter((draft) => tunnelTypeOf(draft) === type),
      chosen,
    );
  return chosen;
}

function chooseOfType(
  { identifier: { key, noun, last } }: RemoteType,
  drafts: readonly Draft[],
  chosen: Map<Draft, number>,
): void {
  const taken = new Map<number, Draft>();
  for (const draft of drafts) {
    const id = valueOf(draft, key);
    if (typeof id !== "number") continue;
    const other = taken.get(id);
    if (other)
      draft.findings.add(
        [key],
        `the ${noun} ${id} is taken by the wire ${quote(other.name)}; choose another, or leave it out`,
      );
    taken.set(id, draft);
    chosen.set(draft, id);
  }
  for (const draft of drafts.filter((each) => !chosen.has(each))) {
    const { host, workload, interface: name } = draft.client;
    let id = Number(hash64(`${host}/${workload}/${name}`) % BigInt(last + 1));
    while (id === 0 || taken.has(id)) id = (id + 1) % (last + 1);
    taken.set(id, draft);
    chosen.set(draft, id);
  }
}

/** The tunnel type of the wire, used if it is between hosts. */
export function tunnelTypeOf({ part }: Draft): RemoteType {
  const type = REMOTE_TYPES.find(({ document }) => document === part.mechanism) ?? REMOTE_TYPES[0];
  if (!type) throw new TypeError("there is no mechanism for wires between hosts");
  return type;
}

/** The value of a key that a mechanism defines. */
function valueOf({ part }: Draft, key: string): unknown {
  return (part as Readonly<Record<string, unknown>>)[key];
}

/** All keys for tunnels: those of each mechanism, and the common ones. */
function tunnelKeys(): string[] {
  return ["mechanism", ...REMOTE_TYPES.flatMap(({ labKeys }) => Object.keys(labKeys)), "underlay"];
}
