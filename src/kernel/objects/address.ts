/**
 * Addresses are changed as a set because of two habits of Linux: removing the first IPv4 address of a subnet removes the
 * others too, and removing the last IPv4 address of a link removes all IPv4 routes and neighbours of the link. An IPv6
 * address cannot be added again with another prefix length or peer.
 */
import { addressOf, familyOf, formatPrefix, isFullLength, mustParsePrefix, network } from "../../net/ip.ts";
import { carrierKey, ipv4Of, type Netns } from "../link.ts";
import { type AttachedKind, type Attraction, type SoleClaim, inPhase, type Step } from "../object-kind.ts";
import { given, inside } from "../phrase.ts";
import { option, toolVerb } from "../script-tools.ts";
import { comment } from "../shell.ts";
import { LOCAL_TABLE, MAIN_TABLE, mainRouteClaim } from "./route.ts";

/** Equivalent to: `ip address add A [peer P] dev L [nodad]`. Without `peer` the prefix length makes an on-link route. */
export interface Address {
  readonly kind: "address";
  readonly netns: Netns;
  readonly link: string;
  /** Own address with prefix length: `10.0.0.1/32`. */
  readonly address: string;
  /** The other end's address with prefix length. `address` then has full length. */
  readonly peer?: string;
  /** Only in observed objects: the kernel's route for the address was removed, so nothing is sent to its network. */
  readonly lacksRoute?: true;
}

export const address = {
  phase: inPhase("addresses"),
  usesSettings: true,
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  claims(object): readonly SoleClaim[] {
    const { netns } = object;
    const own = addressOf(object.address);
    const destination = connectedRoute(object);
    return [
      { key: `address ${netns} ${own}`, words: `the address ${own} in ${netns}`, mayRepeat: true },
      ...(destination === undefined ? [] : [mainRouteClaim(netns, destination)]),
    ];
  },
  attracts(object): readonly Attraction[] {
    const own = mustParsePrefix(object.address);
    const onLink = network(mustParsePrefix(object.peer ?? object.address));
    const isOnlyOwn = object.peer === undefined && isFullLength(onLink);
    const length = own.address.bytes.length * 8;
    return [
      { table: LOCAL_TABLE, destination: formatPrefix({ ...own, length }) },
      ...(isOnlyOwn ? [] : [{ table: MAIN_TABLE, destination: formatPrefix(onLink) }]),
    ];
  },
  steps,
  isDeniedBy: ({ address }, event) =>
    event.type === "address" && event.change === "removed" && event.address === address,
  describe: ({ address, peer, link, netns }) =>
    `address ${address}${given("peer", peer)} dev ${link}${inside(netns)}`,
  script(tools, { verb, object }) {
    const { netns, address, peer, link } = object;
    const nodad = familyOf(address) === 6 && verb !== "remove" ? ["nodad"] : [];
    const words = ["address", toolVerb(verb), address, ...option("peer", peer), "dev", link, ...nodad];
    return [tools.ip(netns, ...words) + (verb === "remove" ? "" : " $owner")];
  },
  scriptStart: ({ protocol }) => [
    comment("Newer versions of ip can mark an address with its owner."),
    `if ip address help 2>&1 | grep -qi ' proto '; then owner='proto ${protocol}'; else owner=; fi`,
  ],
} as const satisfies AttachedKind<Address>;

/**
 * The destination of the route that the kernel makes for an IPv4 address; `undefined` for an address of full length without
 * peer, which gets none.
 */
export function connectedRoute({ address, peer }: Pick<Address, "address" | "peer">): string | undefined {
  if (familyOf(address) === 6) return undefined;
  const prefix = network(mustParsePrefix(peer ?? address));
  return peer === undefined && isFullLength(prefix) ? undefined : formatPrefix(prefix);
}

/**
 * The destination of the kernel's route for an address of either family on a device that is up. `undefined` also for an
 * IPv6 address with a peer: its route depends on how the address was added.
 */
export function linkRoute(object: Pick<Address, "address" | "peer">): string | undefined {
  if (familyOf(object.address) === 4) return connectedRoute(object);
  return object.peer === undefined ? formatPrefix(network(mustParsePrefix(object.address))) : undefined;
}

/**
 * The key of addresses that the kernel does not keep independently of each other: one IPv6 address, or one IPv4 subnet, on
 * a link.
 */
export function subnetOf(object: Address): string {
  const { address, peer } = object;
  const subnet =
    familyOf(address) === 6 ? addressOf(address) : formatPrefix(network(mustParsePrefix(peer ?? address)));
  return `${carrierKey(object)} ${subnet}`;
}

/**
 * Adds new addresses before removing old ones. In a subnet that loses an address, removes all and then adds the wanted
 * ones.
 */
function steps(
  wanted: readonly Address[],
  observed: readonly Address[],
): { operations: Step<Address>[]; lost: ReadonlySet<string> } {
  const [wantedTexts, observedTexts] = [new Set(wanted.map(contentOf)), new Set(observed.map(contentOf))];
  const losing = new Set(observed.filter((each) => !wantedTexts.has(contentOf(each))).map(subnetOf));
  const isLosing = (each: Address): boolean => losing.has(subnetOf(each));

  const first = wanted.filter((each) => !observedTexts.has(contentOf(each)) && !isLosing(each));
  const gone = observed.filter(isLosing).reverse();
  const last = wanted.filter(isLosing);
  const cutOff = new Map(observed.filter((each) => each.lacksRoute).map((each) => [contentOf(each), each]));
  const mended = wanted.flatMap((object): Step<Address>[] => {
    const from = isLosing(object) ? undefined : cutOff.get(contentOf(object));
    return from ? [{ verb: "change", object, from }] : [];
  });
  return {
    operations: [
      ...mended,
      ...first.map((object): Step<Address> => ({ verb: "add", object })),
      ...gone.map((object): Step<Address> => ({ verb: "remove", object })),
      ...last.map((object): Step<Address> => ({ verb: "add", object })),
    ],
    lost: lostLinks({ observed, first, gone }),
  };
}

/** Links that lose all IPv4 addresses for a moment. */
function lostLinks({
  observed,
  first,
  gone,
}: Record<"observed" | "first" | "gone", readonly Address[]>): ReadonlySet<string> {
  const links = (addresses: readonly Address[]): Set<string> =>
    new Set(addresses.filter((each) => familyOf(each.address) === 4).map(ipv4Of));
  const removed = new Set(gone);
  const left = links([...observed.filter((each) => !removed.has(each)), ...first]);
  return new Set([...links(gone)].filter((link) => !left.has(link)));
}

function contentOf(object: Address): string {
  return `${carrierKey(object)} ${object.address} ${object.peer ?? ""}`;
}
