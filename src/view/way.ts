/**
 * The path of a wire, host by host. Each host knows the tunnels that begin or end on it. Together they are the path from the
 * client to the endpoint:
 *
 * ```
 *   alpha reports  alpha→gamma
 *   gamma reports  alpha→gamma  gamma→beta
 *   beta reports                gamma→beta
 * ```
 */

/** One step of a path: from one host to the next one, or inside of a host. */
export interface HopView extends HopFacts {
  /** The carrier in words: `vxlan vni 4242`. Empty if neither of its hosts was asked. */
  readonly words: string;
}

/** The facts that hosts report of a hop. */
interface HopFacts {
  /** Names of the two hosts. A name that is not known is empty. Inside of a host both are the same. */
  readonly from: string;
  readonly to: string;
  /** The carriers of the packets: `vxlan`; inside of a host the kinds of its ends, `veth` or `port`, once each. Empty if unknown. */
  readonly carriers: readonly string[];
  /** The number of a tunnel, unique on both hosts, with its name in NSM: `vni`. */
  readonly identifier?: { readonly name: string; readonly value: number };
  readonly tunnel?: TunnelView;
}

/** The width of the way from one host of a tunnel to the other, as that host reports it. */
export interface TunnelWayView {
  readonly host: string;
  /** The VTEP at the end of the way. */
  readonly to: string;
  /** The largest packet between the hosts, in bytes; 0 if not known. */
  readonly mtuBytes: number;
  /** The limit of the way, or the reason why there is no way: `by the route via 10.0.0.254 dev eth0`. */
  readonly words: string;
}

interface TunnelView {
  /** Type of the mechanism in NSM: `VXLAN`. */
  readonly type: string;
  /** Parameters by their names in NSM. */
  readonly parameters: Readonly<Record<string, string>>;
  /** VTEPs of `from` and `to`. */
  readonly source: string;
  readonly destination: string;
  /** The ways that its hosts report. */
  readonly ways: readonly TunnelWayView[];
}

/** A hop with its words. */
export function hopOf(facts: HopFacts): HopView {
  const { carriers, identifier } = facts;
  const carrier = carriers.join(" and ");
  return { ...facts, words: identifier ? `${carrier} ${identifier.name} ${identifier.value}` : carrier };
}

/**
 * Each hop once, from the client to the endpoint. `told` has the hops that each host reports, in the order of the path. If two
 * hosts report one hop, the earlier report is used, with the ways of both. `hosts` names all hosts of the path: a hop between
 * two of them that no host reports has no words. A hop inside of a host counts only if no other host is known.
 */
export function wayOf(hosts: readonly string[], told: readonly (readonly HopView[])[]): HopView[] {
  const [inside, between] = [told.flat().filter(isInside), told.flat().filter((hop) => !isInside(hop))];
  const hops: HopView[] = [];
  for (const hop of between) {
    const at = hops.findIndex((known) => isSame(known, hop));
    const known = hops[at];
    if (!known) hops.push(hop);
    else hops[at] = joined(known, hop);
  }
  const all = hosts.slice(1).map((to, i): HopView => {
    const from = hosts[i] ?? "";
    return hops.find((hop) => hop.from === from && hop.to === to) ?? hopOf({ from, to, carriers: [] });
  });
  const isComplete = !hosts.includes("") && hops.every((hop) => all.includes(hop));
  const way = isComplete ? all : inOrder(hops);
  return way.length > 0 ? way : inside.slice(0, 1);
}

/** Whether the hop leads from a host to itself. */
export function isInside({ from, to }: HopView): boolean {
  return from !== "" && from === to;
}

function joined(known: HopView, hop: HopView): HopView {
  const ways = [...(known.tunnel?.ways ?? []), ...(hop.tunnel?.ways ?? [])];
  const tunnel = known.tunnel ?? hop.tunnel;
  return {
    ...hop,
    ...known,
    from: known.from || hop.from,
    to: known.to || hop.to,
    ...(tunnel && { tunnel: { ...tunnel, ways } }),
  };
}

/** Sorts the hops so that each begins where the one before it ends. */
function inOrder(hops: readonly HopView[]): HopView[] {
  const left = [...hops];
  const ordered: HopView[] = [];
  while (left.length > 0) {
    const first = left.findIndex(({ from }) => from === "" || !left.some(({ to }) => to === from));
    ordered.push(...left.splice(Math.max(0, first), 1));
  }
  return ordered;
}

/** Whether two reports mean one hop. Host names are compared first: the VTEPs may change between two reports. */
function isSame(a: HopView, b: HopView): boolean {
  if (a.from !== "" && a.to !== "" && b.from !== "" && b.to !== "") return a.from === b.from && a.to === b.to;
  return a.tunnel?.source === b.tunnel?.source && a.tunnel?.destination === b.tunnel?.destination;
}

/** `veth on alpha`, `vxlan vni 4242 alpha→beta`, with a VTEP for a host whose name is not known. Empty without a hop. */
export function pathWords(hops: readonly HopView[]): string {
  return hops.map(hopWords).join(", ");
}

function hopWords(hop: HopView): string {
  const { from, to, words, tunnel } = hop;
  if (isInside(hop)) return `${words} on ${from}`;
  const ends = `${from || tunnel?.source}→${to || tunnel?.destination}`;
  return words === "" ? ends : `${words} ${ends}`;
}
