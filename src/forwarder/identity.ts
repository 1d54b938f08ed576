/** When two objects are the same one, when they are equal, and what hangs on what. */
import { formatPrefix, isFullLength, mustParsePrefix, network } from "../net/ip.ts";
import type { Address, KernelObject, LinkEnd, Netns, Program, Route, Veth, Vxlan } from "../kernel/kernel.ts";

export type Device = Veth | Vxlan;

export function isDevice(object: KernelObject): object is Device {
  return object.kind === "veth" || object.kind === "vxlan";
}

export function endsOf(device: Device): readonly LinkEnd[] {
  return device.kind === "veth" ? device.ends : [device];
}

/** Names a link on this machine. */
export function linkKey(netns: Netns, link: string): string {
  return `${netns} ${link}`;
}

export function linkKeys(device: Device): string[] {
  return endsOf(device).map((end) => linkKey(end.netns, end.name));
}

/** What attracts packets to a link. */
export function attractsPackets({ kind }: KernelObject): boolean {
  return kind === "address" || kind === "route";
}

/** The link that `object`, no device, goes away with; a rule has none. */
export function carrierOf(object: Exclude<KernelObject, Device>): string | undefined {
  switch (object.kind) {
    case "rule":
      return undefined;
    case "sysctl":
      return object.link === undefined ? undefined : linkKey(object.netns, object.link);
    default:
      return linkKey(object.netns, object.link);
  }
}

/**
 * Objects with the same identity cannot be there at the same time; one becomes the other by `change`. A device is its
 * names and what the kernel cannot change about it.
 */
export function identityOf(object: KernelObject): string {
  switch (object.kind) {
    case "veth":
      return `veth ${linkKeys(object).sort().join(" ")}`;
    case "vxlan":
      return `vxlan ${linkKey(object.netns, object.name)} ${tunnelKey(object)}`;
    case "route": {
      const { table, metric } = routeDefaults(object);
      return `route ${object.netns} ${table} ${object.destination} ${metric}`;
    }
    case "neighbor":
      return `neighbor ${linkKey(object.netns, object.link)} ${object.address}`;
    case "program":
    case "qdisc":
      return `${object.kind} ${linkKey(object.netns, object.link)}`;
    case "sysctl":
      return `sysctl ${object.netns} ${object.link ?? ""} ${Object.keys(object.values).join(" ")}`;
    case "up":
    case "address":
    case "rule":
    default:
      return contentOf(object);
  }
}

/** A VNI is unique per namespace, UDP port and address family, whatever the remote. */
export function tunnelKey(vxlan: Vxlan): string {
  return `${vxlan.vni} ${vxlan.port} ${familyOf(vxlan.local)}`;
}

/** Equal text for equal objects, with defaults filled in and veth ends in one order. */
export function contentOf(object: KernelObject): string {
  return stableText(normal(object));
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(":") ? 6 : 4;
}

/** Addresses of which the kernel does not keep two independently: one IPv6 address, or one IPv4 subnet, on a link. */
export function subnetOf(address: Address): string {
  const carrier = linkKey(address.netns, address.link);
  if (familyOf(address.address) === 6) return `${carrier} ${address.address.split("/")[0] ?? ""}`;
  return `${carrier} ${formatPrefix(network(mustParsePrefix(address.peer ?? address.address)))}`;
}

/** Destination of the route that an IPv4 address makes by itself. An address of full length without peer makes none. */
export function connectedRoute(address: Address): string | undefined {
  if (familyOf(address.address) === 6) return undefined;
  const prefix = network(mustParsePrefix(address.peer ?? address.address));
  return address.peer === undefined && isFullLength(prefix) ? undefined : formatPrefix(prefix);
}

/** What `object` has of which a namespace holds one, whoever wants it: names, tunnels, addresses, routes, rules. */
export function claimsOf(object: KernelObject): string[] {
  switch (object.kind) {
    case "veth":
      return linkKeys(object);
    case "vxlan":
      return [...linkKeys(object), `vni ${object.netns} ${tunnelKey(object)}`];
    case "route":
    case "rule":
      return [identityOf(object)];
    case "address": {
      const destination = connectedRoute(object);
      const { netns, address } = object;
      return [
        `address ${netns} ${address.split("/")[0] ?? ""}`,
        ...(destination ? [`route ${netns} 254 ${destination} 0`] : []),
      ];
    }
    default:
      return [];
  }
}

/** The target of a redirecting program. */
export function targetOf(program: Program): string | undefined {
  return program.target === undefined ? undefined : linkKey(program.netns, program.target);
}

function routeDefaults(route: Route): Required<Pick<Route, "table" | "metric">> {
  return {
    table: route.table ?? 254,
    metric: route.metric ?? (familyOf(route.destination) === 4 ? 0 : 1024),
  };
}

function normal(object: KernelObject): unknown {
  if (object.kind === "route") return { ...object, ...routeDefaults(object), onlink: object.onlink ?? false };
  if (object.kind === "veth") {
    const key = (end: LinkEnd): string => linkKey(end.netns, end.name);
    return { kind: "veth", ends: [...object.ends].sort((a, b) => (key(a) < key(b) ? -1 : 1)) };
  }
  return object;
}

/** JSON with sorted keys. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part === null || typeof part !== "object" || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
