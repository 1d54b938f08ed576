/**
 * The way of a wire, host by host. Each host knows the tunnels that begin or end on it; put together they are the way from
 * the client to the endpoint:
 *
 * ```
 *   alpha tells  alpha→gamma
 *   gamma tells  alpha→gamma  gamma→beta
 *   beta tells                gamma→beta
 * ```
 */

/** One step of a path: from one host to the next one, or inside of a host. */
export interface HopView extends HopFacts {
  /** How it is carried: `vxlan vni 4242`. Empty if neither of its hosts was asked. */
  readonly words: string;
}

/** A hop as hosts tell of it. */
interface HopFacts {
  /** Names of the two hosts; empty for one whose name is not known, and the same one inside of a host. */
  readonly from: string;
  readonly to: string;
  /** The carriers of the packets: `vxlan`; inside of a host the kinds of its ends, `veth` or `port`, each once. None if nobody tells. */
  readonly carriers: readonly string[];
  /** The number of a tunnel, unique on both hosts, with its name in NSM: `vni`. */
  readonly identifier?: { readonly name: string; readonly value: number };
  readonly tunnel?: TunnelView;
}

/** How wide the network between the hosts of a tunnel is, as one of them knows it: the way from there to the other one. */
export interface TunnelWayView {
  readonly host: string;
  /** The VTEP at its end. */
  readonly to: string;
  /** Bytes of the packets between the hosts; 0 if it is not known. */
  readonly mtuBytes: number;
  /** What bounds it, or why there is none: `by the route via 10.0.0.254 dev eth0`. */
  readonly words: string;
}

interface TunnelView {
  /** Of the mechanism in NSM: `VXLAN`. */
  readonly type: string;
  /** By NSM's names. */
  readonly parameters: Readonly<Record<string, string>>;
  /** VTEPs of `from` and `to`. */
  readonly source: string;
  readonly destination: string;
  /** Of those of its hosts that tell. */
  readonly ways: readonly TunnelWayView[];
}

/** A hop with its words. */
export function hopOf(facts: HopFacts): HopView {
  const { carriers, identifier } = facts;
  const carrier = carriers.join(" and ");
  return { ...facts, words: identifier ? `${carrier} ${identifier.name} ${identifier.value}` : carrier };
}

/**
 * Each hop once, from the client to the endpoint. `told` has what each host tells, in the order in which the wire passes them;
 * of two that tell the same hop the earlier one is believed, and each knows its own way. `hosts` names all that the wire passes: a hop between two of them
 * that nobody tells is there without words. A hop inside of a host counts only if nobody knows of another host.
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

/** Before each hop the one that leads to where it begins. */
function inOrder(hops: readonly HopView[]): HopView[] {
  const left = [...hops];
  const ordered: HopView[] = [];
  while (left.length > 0) {
    const first = left.findIndex(({ from }) => from === "" || !left.some(({ to }) => to === from));
    ordered.push(...left.splice(Math.max(0, first), 1));
  }
  return ordered;
}

/** The VTEPs of a hop may change while two hosts tell of it: their names tell more. */
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
