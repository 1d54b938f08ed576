/** Reads the state of the simulated machine, with namespaces named as in the query. */
import type { SimLook, SimView } from "./object-kind.ts";
import { SIM_KINDS } from "./objects.ts";
import { canonicalIp, contains, mustParsePrefix, network } from "../../net/ip.ts";
import type {
  PortFacts,
  KernelObject,
  NativeNetwork,
  ObserveQuery,
  OwnAddress,
  OwnerMark,
} from "../../kernel/kernel.ts";
import { MAIN_TABLE } from "../../kernel/objects/route.ts";
import { hostPart } from "./routing.ts";
import { hasCarrier } from "./news.ts";
import type { SimDevice, SimNetns } from "./state.ts";

export function viewOf(netns: SimNetns, query: ObserveQuery): SimView {
  return { netns, name: query.netns, links: query.links && new Set(query.links) };
}

/** All objects in `views` with the observer's mark. A veth pair is reported once, even if both ends are in the views. */
export function look(kernel: Omit<SimLook, "told">, views: readonly SimView[]): KernelObject[] {
  const names = new Map(views.map((view) => [view.netns, view.name]));
  const observer: SimLook = {
    mark: kernel.mark,
    pins: kernel.pins,
    nameOf: (netns) => names.get(netns) ?? kernel.nameOf(netns),
    told: new Set(),
  };
  return views.flatMap((view) => SIM_KINDS.flatMap((kind): KernelObject[] => kind.observe(observer, view)));
}

/** The device state for `Kernel.devices`. */
export function factsOf(device: SimDevice, mark: OwnerMark): PortFacts {
  const { index, mtuBytes, isUp, master, group, kind, addresses } = device;
  return {
    index,
    mtuBytes,
    isUp,
    hasCarrier: hasCarrier(device),
    isEthernet: true,
    isOurs: group === mark.group,
    sort: kind,
    ...(master !== undefined && { master }),
    addresses: [...addresses].map(({ address }) => address),
  };
}

/** No address is tentative: no other host on a simulated link could have it. */
export function ownAddressOf({ devices }: SimNetns, address: string): OwnAddress | undefined {
  const wanted = canonicalIp(address);
  const device = [...devices.values()].find((each) =>
    [...each.addresses].some((own) => canonicalIp(hostPart(own.address)) === wanted),
  );
  if (!device || device.isDoomed) return undefined;
  return { link: device.name, state: "usable", isUp: device.isUp, hasCarrier: hasCarrier(device) };
}

/**
 * The addresses and routes without the mark and not on devices with the mark; with `near` only those that contain one of
 * these addresses.
 */
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
