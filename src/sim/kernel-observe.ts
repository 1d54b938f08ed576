/** What the simulated machine says about itself, in the form in which it was told. */
import { contains, mustParsePrefix, network } from "../net/ip.ts";
import { IPV6_MIN_MTU } from "../net/link-local.ts";
import type {
  KernelObject,
  LinkEnd,
  NativeNetwork,
  Netns,
  ObserveQuery,
  OwnerMark,
} from "../kernel/kernel.ts";
import { defaultMetric, MAIN_TABLE } from "../kernel/objects/route.ts";
import { type SimDevice, type SimNetns, type SimRoute, type SimRule } from "./kernel-state.ts";

/** A namespace in question. Without `links` everything in it is. */
export interface View {
  readonly netns: SimNetns;
  readonly name: Netns;
  readonly links: ReadonlySet<string> | undefined;
}

export interface Observer {
  readonly mark: OwnerMark;
  readonly pins: string;
  /** The name of a namespace that no query has asked about: of a veth's far end. */
  nameOf(netns: SimNetns): Netns;
}

export function viewOf(netns: SimNetns, query: ObserveQuery): View {
  return { netns, name: query.netns, links: query.links && new Set(query.links) };
}

/** Everything in `views` that carries the observer's mark; a veth pair once, though both of its ends be asked about. */
export function look(observer: Observer, views: readonly View[]): KernelObject[] {
  const names = new Map(views.map((view) => [view.netns, view.name]));
  const nameOf = (netns: SimNetns): Netns => names.get(netns) ?? observer.nameOf(netns);
  const seen = new Set<SimDevice>();
  const objects: KernelObject[] = [];
  for (const view of views) {
    const wants = (link: string): boolean => !view.links || view.links.has(link);
    for (const device of view.netns.devices.values()) {
      if (device.isDoomed || !wants(device.name)) continue;
      if (device.group === observer.mark.group && !seen.has(device)) {
        seen.add(device);
        if (device.peer) seen.add(device.peer);
        objects.push(...deviceObject(device, nameOf));
      }
      objects.push(...onDevice(observer, view.name, device));
    }
    for (const route of view.netns.routes)
      if (route.protocol === observer.mark.protocol && !route.device.isDoomed && wants(route.device.name))
        objects.push(routeObject(view.name, route));
    for (const rule of view.netns.rules)
      if (rule.protocol === observer.mark.protocol && (!view.links || wants(rule.iif ?? "")))
        objects.push(ruleObject(view.name, rule));
  }
  return objects;
}

/** All that is there without the mark, and not on a device that bears it; with `near` only such as holds one of these addresses. */
export function nativeNetworkOf(
  { identity, devices, routes }: SimNetns,
  mark: OwnerMark,
  near?: readonly string[],
): NativeNetwork {
  const asked = near?.map((address) => mustParsePrefix(address).address);
  const isAsked = (prefix: string): boolean =>
    asked?.some((address) => contains(network(mustParsePrefix(prefix)), address)) ?? true;
  const others = [...devices.values()].filter(({ group, isDoomed }) => group !== mark.group && !isDoomed);
  return {
    identity,
    addresses: others.flatMap((device) =>
      [...device.addresses]
        .filter(({ protocol }) => protocol !== mark.protocol)
        .flatMap(({ address, peer }) => [address, ...(peer === undefined ? [] : [peer])])
        .filter(isAsked),
    ),
    routes: [...routes]
      .filter(({ device, protocol, table }) => {
        return table === MAIN_TABLE && protocol !== mark.protocol && others.includes(device);
      })
      .filter(({ destination }) => isAsked(destination))
      .map(({ destination, via }) => ({ destination, ...(via !== undefined && { via }) })),
  };
}

function deviceObject(device: SimDevice, nameOf: (netns: SimNetns) => Netns): KernelObject[] {
  const end = (each: SimDevice): LinkEnd => ({
    netns: nameOf(each.netns),
    name: each.name,
    mac: each.mac,
    mtuBytes: each.mtuBytes,
    alias: each.alias,
    ...(each.linkLocal && each.mtuBytes >= IPV6_MIN_MTU ? { linkLocal: true } : {}),
  });
  if (device.kind === "veth")
    return device.peer ? [{ kind: "veth", ends: [end(device), end(device.peer)] }] : [];
  const tunnel = device.tunnel;
  if (!tunnel) return [];
  const { vni, local, remote, port } = tunnel;
  return [{ kind: "vxlan", ...end(device), vni, local, remote, port }];
}

function onDevice(observer: Observer, netns: Netns, device: SimDevice): KernelObject[] {
  const on = { netns, link: device.name };
  const { protocol, group } = observer.mark;
  const objects: KernelObject[] = [];
  const program = device.program;
  if (program?.pins === observer.pins) {
    const target = program.target && !program.target.isDoomed ? { target: program.target.name } : {};
    objects.push({ kind: "program", ...on, verdict: program.verdict, ...target });
  }
  for (const { address, peer, protocol: owner } of device.addresses)
    if (owner === protocol)
      objects.push({ kind: "address", ...on, address, ...(peer === undefined ? {} : { peer }) });
  for (const { address, mac, protocol: owner } of device.neighbors.values())
    if (owner === protocol) objects.push({ kind: "neighbor", ...on, address, mac });
  if (device.group !== group) return objects;
  if (device.isUp) objects.push({ kind: "up", ...on });
  if (device.qdisc) objects.push({ kind: "qdisc", ...on, shape: device.qdisc });
  return objects;
}

function routeObject(netns: Netns, route: SimRoute): KernelObject {
  const { device, family, table, metric, protocol: _protocol, ...rest } = route;
  return {
    kind: "route",
    netns,
    link: device.name,
    ...rest,
    ...(table === MAIN_TABLE ? {} : { table }),
    ...(metric === defaultMetric(family) ? {} : { metric }),
  };
}

function ruleObject(netns: Netns, rule: SimRule): KernelObject {
  const { protocol: _protocol, ...rest } = rule;
  return { kind: "rule", netns, ...rest };
}
