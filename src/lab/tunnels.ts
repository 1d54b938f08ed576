/** What the wires between hosts need of the underlay: a path, room for the tunnel's headers, and a VNI. */
import { checkMtu } from "../documents/fragments/mtu.ts";
import { IPV6_MIN_MTU } from "../net/link-local.ts";
import { MAX_VNI, VXLAN_OVERHEAD_BYTES } from "../kernel/objects/vxlan.ts";
import { hash64 } from "../net/hash.ts";
import type { Findings } from "./findings.ts";
import { formatPath } from "../text/problem.ts";
import type { UnderlayRouting } from "./underlay.ts";
import type { Draft } from "./wire-draft.ts";

/** The family that carries the tunnel of a wire; `undefined` for a wire within a host, or without a path. */
export function chooseTunnel(
  { part, path, client, endpoint }: Draft,
  routing: UnderlayRouting,
  allLinksKnown: boolean,
  addresses: readonly string[],
  findings: Findings,
): 4 | 6 | undefined {
  const hasIpv6 = addresses.some((address) => address.includes(":"));
  const tooSmall = checkMtu(part.mtu, [...path, "mtu"], { hasIpv6, remedy: "set addresses to ipv4" });
  for (const { path: at, message } of tooSmall) findings.add(at, message);
  if (client.host === endpoint.host) {
    for (const key of ["vni", "underlay"] as const) {
      if (part[key] !== undefined)
        findings.add(
          [...path, key],
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
    const roomBytes = tunnel.mtuBytes - VXLAN_OVERHEAD_BYTES[family];
    const onThePath = `the path from ${client.host} to ${endpoint.host} carries ${tunnel.mtuBytes} bytes, which leaves ${roomBytes} inside VXLAN over IPv${family}`;
    if (part.mtu !== undefined && part.mtu > roomBytes) {
      findings.add(
        [...path, "mtu"],
        `${part.mtu} bytes do not fit: ${onThePath}; lower it, or raise the MTU of the links`,
      );
    } else if (hasIpv6 && roomBytes < IPV6_MIN_MTU) {
      findings.add(
        path,
        `IPv6 does not fit: it needs an MTU of 1280, but ${onThePath}; raise the MTU of the links, or set addresses to ipv4`,
      );
    }
    return family;
  }
  if (allLinksKnown) {
    const what = wanted.length === 2 ? "no path" : `no IPv${wanted[0]} path`;
    findings.add(
      path,
      `${what} from ${client.host} to ${endpoint.host}; add a link between them, or links over a router`,
    );
  }
  return undefined;
}

/** VNIs of the wires between hosts: the given ones, and for the others free ones from the hash of their names. */
export function chooseVnis(drafts: readonly Draft[], findings: Findings): Map<Draft, number> {
  const chosen = new Map<Draft, number>();
  const taken = new Map<number, Draft>();
  const remote = drafts.filter(({ client, endpoint }) => client.host !== endpoint.host);
  for (const draft of remote) {
    const vni = draft.part.vni;
    if (vni === undefined) continue;
    const other = taken.get(vni);
    if (other)
      findings.add(
        [...draft.path, "vni"],
        `the VNI ${vni} is taken by ${formatPath(other.path)}; choose another, or leave it out`,
      );
    taken.set(vni, draft);
    chosen.set(draft, vni);
  }
  for (const draft of remote.filter(({ part }) => part.vni === undefined)) {
    const { host, workload, interface: name } = draft.client;
    let vni = Number(hash64(`${host}/${workload}/${name}`) % BigInt(MAX_VNI + 1));
    while (vni === 0 || taken.has(vni)) vni = (vni + 1) % (MAX_VNI + 1);
    taken.set(vni, draft);
    chosen.set(draft, vni);
  }
  return chosen;
}
