/**
 * Follows a packet on the simulated machine. Addresses, rules and routes decide in each namespace; veths, tunnels, uplinks
 * and `wire` programs carry it from one to the next.
 *
 * Not modelled: fragmentation, rates, conntrack, and the way back of an answer (ask for that too).
 */
import { contains, familyOf, mustParseIp, mustParsePrefix } from "../../net/ip.ts";
import { IPV6_MIN_MTU, isLinkLocal, linkLocalAddress } from "../../net/link-local.ts";
import { connectedPrefixes, hostPart, isOwnAddress } from "./routing.ts";
import type { Way, WayHop, WayQuery } from "../../kernel/kernel.ts";
import { MAIN_TABLE } from "../../kernel/objects/route.ts";
import { isAllowed } from "./guard.ts";
import { sendOuter } from "./underlay.ts";
import type { Arrival, Frame, Journey, Machinery, Packet, SimDevice, SimNetns, SimRoute } from "./state.ts";

/** The chosen next hop and its route. A next hop on a connected network has no route. */
interface NextHop {
  readonly device: SimDevice;
  readonly via: string | undefined;
  readonly route?: SimRoute;
}

/** The MTU of `lo`. */
const LOOPBACK_MTU = 65_536;

const longestJourney = 32;

/** Follows a packet from `netns` to the namespace that accepts it; `undefined` if the packet is dropped on the way. */
export function followPacket(machine: Machinery, netns: SimNetns, packet: Packet): Arrival | undefined {
  return new Route(machine).route(netns, packet, undefined);
}

/** The name of the device that packets to `to` leave a namespace by, even if they are dropped later. */
export function wayOut(netns: SimNetns, to: string): string | undefined {
  return lookUp(netns, { to, bytes: 0 }, undefined)?.device.name;
}

/** The answer of `Kernel.ways`. A simulated device has one MTU for both families. */
export function wayOf(netns: SimNetns, { to, from }: WayQuery): Way {
  if (from !== undefined && familyOf(from) === 4 && !isOwnAddress(netns, from))
    return { unreachable: "ENETUNREACH" };
  if (hasAddress(netns, to))
    return { mtuBytes: LOOPBACK_MTU, hops: [{ link: "lo", mtuBytes: LOOPBACK_MTU, boundBy: "device" }] };
  const packet = { to, bytes: 0, ...(from !== undefined && { source: from }) };
  const first = lookUp(netns, packet, undefined);
  if (!first) return { unreachable: "ENETUNREACH" };
  const hops = (first.route ? besides(netns, first.route) : [first]).map(wayHop);
  return { mtuBytes: Math.min(...hops.map(({ mtuBytes }) => mtuBytes)), hops };
}

/** All next hops of a multipath route. Only foreign routes have several. */
function besides(netns: SimNetns, route: SimRoute): NextHop[] {
  const { destination, table, metric, protocol } = route;
  return [...netns.routes]
    .filter((each) => each.destination === destination && each.table === table && each.metric === metric)
    .filter((each) => each.protocol === protocol && each.device.isUp)
    .map((each) => ({ device: each.device, via: each.via, route: each }));
}

function wayHop({ device, via, route }: NextHop): WayHop {
  const ofRoute = route?.mtuBytes ?? Infinity;
  const isRoutes = ofRoute < device.mtuBytes;
  return {
    link: device.name,
    ...(via !== undefined && { via }),
    mtuBytes: isRoutes ? ofRoute : device.mtuBytes,
    boundBy: isRoutes ? "route" : "device",
  };
}

class Route implements Journey {
  readonly machine: Machinery;
  #steps = 0;

  constructor(machine: Machinery) {
    this.machine = machine;
  }

  route(netns: SimNetns, packet: Packet, from: SimDevice | undefined): Arrival | undefined {
    if (this.#steps++ > longestJourney) return undefined;
    const [address = "", link] = packet.to.split("%");
    if (link !== undefined) return this.#onLink(netns.devices.get(link), { ...packet, to: address });
    if (hasAddress(netns, packet.to)) return { netns, link: from?.name ?? "lo" };
    if (from && !forwards(from, familyOf(packet.to))) return undefined;
    const way = lookUp(netns, packet, from?.name);
    if (!way) return undefined;
    const nexthop = way.via ?? packet.to;
    const mac = way.device.neighbors.get(nexthop)?.mac;
    const sent = from ? packet : { ...packet, ...chosenFrom(way.device, packet) };
    return this.transmit(way.device, { packet: sent, nexthop, mac });
  }

  #onLink(device: SimDevice | undefined, packet: Packet): Arrival | undefined {
    if (!device || linkLocalOf(device) === undefined) return undefined;
    if (linkLocalOf(device) === packet.to) return { netns: device.netns, link: "lo" };
    return this.transmit(device, { packet, nexthop: packet.to, mac: undefined });
  }

  /** Sends a frame out of `device`. */
  transmit(device: SimDevice, frame: Frame): Arrival | undefined {
    if (this.#steps++ > longestJourney || !device.isUp) return undefined;
    return device.transmit(this, frame, device);
  }

  enter(device: SimDevice, frame: Frame): Arrival | undefined {
    if (this.#steps++ > longestJourney || !device.isUp) return undefined;
    const program = device.program;
    if (frame.packet.bytes > 0) {
      for (const counters of program ? [device.received, program] : [device.received]) {
        counters.packets++;
        counters.bytes += frame.packet.bytes;
      }
    }
    if (program) {
      const target = program.target;
      const { verdict, tunnel, guard, mac } = program.wanted;
      if (!isAllowed(this.machine, { guard, on: device }, frame.packet)) return undefined;
      if (verdict === "redirect" && mac !== undefined && frame.mac === mac && target?.peer)
        return this.enter(target.peer, frame);
      if (verdict === "redirect") return target && this.transmit(target, frame);
      if (verdict === "redirect-peer") return target?.peer && this.enter(target.peer, frame);
      if (tunnel) return sendOuter(this, device.netns, { outer: tunnel, frame });
      if (verdict === "decapsulate") return undefined;
    }
    return this.#accept(device, frame);
  }

  #accept(device: SimDevice, frame: Frame): Arrival | undefined {
    if (isLinkLocal(frame.packet.to))
      return linkLocalOf(device) === frame.packet.to ? { netns: device.netns, link: device.name } : undefined;
    const isOurs =
      frame.mac === undefined ? hasAddress(device.netns, frame.nexthop) : frame.mac === device.mac;
    return isOurs ? this.route(device.netns, frame.packet, device) : undefined;
  }

  apart(netns: SimNetns, packet: Packet): Arrival | undefined {
    return new Route(this.machine).route(netns, packet, undefined);
  }
}

/** The source address that is chosen if the sender gives none. */
function chosenFrom(device: SimDevice, { to }: Packet): Pick<Packet, "chosen"> {
  const address = [...device.addresses].find(({ family }) => family === familyOf(to))?.address;
  return address === undefined ? {} : { chosen: hostPart(address) };
}

/** The automatic link-local address of a device, if it has one now. */
function linkLocalOf(device: SimDevice): string | undefined {
  const { netns, name, mac, mtuBytes, isUp } = device;
  const isOn = netns.sysctls.get(`net/ipv6/conf/${name}/disable_ipv6`) !== "1";
  return device.linkLocal && !device.lacksLinkLocal && isUp && isOn && mtuBytes >= IPV6_MIN_MTU
    ? linkLocalAddress(mac)
    : undefined;
}

function hasAddress(netns: SimNetns, address: string): boolean {
  for (const device of netns.devices.values())
    for (const entry of device.addresses)
      if (hostPart(entry.address) === address && (device.isUp || entry.family === 4)) return true;
  return false;
}

/** Are packets that arrive on this device forwarded? The setting may be for all devices or for this one. */
function forwards({ netns, name: link }: SimDevice, family: 4 | 6): boolean {
  const names = {
    4: ["net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", `net/ipv4/conf/${link}/forwarding`],
    6: ["net/ipv6/conf/all/forwarding", `net/ipv6/conf/${link}/force_forwarding`],
  };
  return names[family].some((name) => netns.sysctls.get(name) === "1");
}

/**
 * Looks up a route: rules in order of priority, then the main table. In a table the longest prefix wins, then the lowest
 * metric.
 */
function lookUp(netns: SimNetns, packet: Packet, iif: string | undefined): NextHop | undefined {
  const family = familyOf(packet.to);
  const to = mustParseIp(packet.to);
  const source = packet.source === undefined ? undefined : mustParseIp(packet.source);
  const rules = [...netns.rules]
    .filter((rule) => rule.family === family && rule.ipProtocol === undefined)
    .filter((rule) => !rule.to || contains(mustParsePrefix(rule.to), to))
    .filter((rule) => !rule.from || (source !== undefined && contains(mustParsePrefix(rule.from), source)))
    .filter((rule) => rule.iif === undefined || rule.iif === iif)
    .sort((a, b) => a.priority - b.priority);
  const tables = [...rules.filter((rule) => rule.priority < 32766).map((rule) => rule.table), MAIN_TABLE];
  for (const table of tables) {
    const way = lookUpIn(netns, table, packet.to);
    if (way) return way;
  }
  return undefined;
}

function lookUpIn(netns: SimNetns, table: number, address: string): NextHop | undefined {
  const to = mustParseIp(address);
  let best: (NextHop & { readonly length: number; readonly metric: number }) | undefined;
  const offer = (way: NextHop, destination: string, metric: number): void => {
    const prefix = mustParsePrefix(destination);
    if (!way.device.isUp || !contains(prefix, to)) return;
    const length = prefix.length;
    if (!best || length > best.length || (length === best.length && metric < best.metric))
      best = { ...way, length, metric };
  };
  if (table === MAIN_TABLE)
    for (const device of netns.devices.values())
      for (const prefix of connectedPrefixes(device)) offer({ device, via: undefined }, prefix, 0);
  for (const route of netns.routes) {
    const { device, via, destination, metric } = route;
    if (route.table === table) offer({ device, via, route }, destination, metric);
  }
  return best;
}
