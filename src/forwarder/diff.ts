/**
 * What leads from what is there to what is wanted, in an order that breaks nothing that is right:
 *
 * 1. devices that take the place of wanted ones go
 * 2. devices are added and changed, new ones get their programs, sysctls, addresses, and are set up
 * 3. programs change over to them
 * 4. routes, neighbours, rules
 * 5. what is not wanted goes, in reverse, and devices last: what is on them goes with them
 *
 * Before a device its routes and addresses go: the kernel takes its time to free a device, which until then would go on
 * attracting packets by them.
 */
import type { Address, KernelObject, Operation, Program } from "../kernel/kernel.ts";
import { addressSteps } from "./diff-addresses.ts";
import {
  attractsPackets,
  carrierOf,
  connectedRoute,
  contentOf,
  type Device,
  endsOf,
  identityOf,
  isDevice,
  linkKeys,
  targetOf,
  tunnelKey,
} from "./identity.ts";

type Attached = Exclude<KernelObject, Device>;

/** In the order in which they are made. */
const ORDER = ["program", "qdisc", "sysctl", "address", "up", "route", "neighbor", "rule"] as const;

/**
 * The operations that lead from `observed` to `wanted`, both complete for the links that they speak of. Pure; empty if
 * nothing is to do. A changed object is changed in place where the kernel can. What goes away with its device is not
 * removed by itself, unless it attracts packets. See `batches` for how to apply it.
 */
export function diff(wanted: readonly KernelObject[], observed: readonly KernelObject[]): Operation[] {
  const devices = diffDevices(wanted, observed);
  const attached = (objects: readonly KernelObject[]): Attached[] =>
    objects.filter((object): object is Attached => !isDevice(object));
  const isGone = (object: Attached, links: ReadonlySet<string>): boolean =>
    links.has(carrierOf(object) ?? "");

  const there = attached(observed)
    .filter((object) => !isGone(object, devices.cleared))
    .map((object) => (object.kind === "program" ? withoutTarget(object, devices.cleared) : object));
  const addresses = addressSteps(
    attached(wanted).filter((object) => object.kind === "address"),
    there.filter(
      (object): object is Address => object.kind === "address" && !isGone(object, devices.leaving),
    ),
  );
  const kept = there.filter((object) => object.kind !== "address" && !isFlushed(object, addresses.flushed));
  const steps = diffAttached(attached(wanted), kept);
  const withdrawals = (links: ReadonlySet<string>): Operation[] =>
    removals(
      attached(observed).filter((object) => attractsPackets(object) && isGone(object, links)),
      attached(wanted),
    );

  const of = (kind: Attached["kind"]): Operation[] => steps.filter(({ object }) => object.kind === kind);
  const isAdd = ({ verb }: Operation): boolean => verb === "add";
  const programs = of("program");
  // A device that grows beyond the smallest MTU of IPv6 has all of its settings anew.
  const touched = placesOf([...devices.make, ...addresses.operations.filter(isAdd)]);
  return [
    ...withdrawals(devices.cleared),
    ...devices.clear,
    ...devices.make,
    ...programs.filter(isAdd),
    ...of("qdisc"),
    ...of("sysctl").filter((step) => !isAdd(step) || isTouched(step.object, touched)),
    ...addresses.operations,
    ...of("up"),
    ...programs.filter((step) => !isAdd(step)),
    ...of("route"),
    ...of("neighbor"),
    ...of("rule"),
    ...removals(kept, attached(wanted)).filter(({ object }) => !isGone(object as Attached, devices.leaving)),
    ...withdrawals(devices.leaving),
    ...devices.remove,
  ];
}

/**
 * Cuts operations where a device has been removed and something else follows: a removed device cannot come back, so
 * that its removal has to be the last of what can be undone.
 */
export function batches(operations: readonly Operation[]): Operation[][] {
  const all: Operation[][] = [];
  let current: Operation[] = [];
  for (const operation of operations) {
    const last = current.at(-1);
    if (last && isRemovedDevice(last) && !isRemovedDevice(operation)) {
      all.push(current);
      current = [];
    }
    current.push(operation);
  }
  return current.length > 0 ? [...all, current] : all;
}

function isRemovedDevice({ verb, object }: Operation): boolean {
  return verb === "remove" && isDevice(object);
}

interface DeviceSteps {
  /** Removed first, because a wanted device needs the name or the VNI. */
  readonly clear: Operation[];
  readonly make: Operation[];
  readonly remove: Operation[];
  /** Links of `clear`. */
  readonly cleared: ReadonlySet<string>;
  /** Links of `remove`. */
  readonly leaving: ReadonlySet<string>;
}

function diffDevices(allWanted: readonly KernelObject[], allObserved: readonly KernelObject[]): DeviceSteps {
  const [wanted, observed] = [allWanted.filter(isDevice), allObserved.filter(isDevice)];
  const before = new Map(observed.map((device) => [identityOf(device), device]));
  const identities = new Set(wanted.map(identityOf));
  const make: Operation[] = [];
  const claims = new Set(allWanted.flatMap(routeClaims));
  for (const device of wanted) {
    const from = before.get(identityOf(device));
    if (!from) {
      make.push({ verb: "add", object: device });
      for (const claim of claimsOf(device)) claims.add(claim);
    } else if (contentOf(from) !== contentOf(device)) {
      make.push({ verb: "change", object: device, from: oriented(from, device) });
    }
  }
  const gone = observed.filter((device) => !identities.has(identityOf(device))).reverse();
  const isInTheWay = (device: Device): boolean => {
    const links = linkKeys(device);
    const routes = allObserved.filter(
      (object) => object.kind === "address" && links.includes(carrierOf(object) ?? ""),
    );
    return [...claimsOf(device), ...routes.flatMap(routeClaims)].some((claim) => claims.has(claim));
  };
  const clear = gone.filter(isInTheWay);
  const remove = gone.filter((device) => !isInTheWay(device));
  const removal = (object: Device): Operation => ({ verb: "remove", object });
  return {
    clear: clear.map(removal),
    make,
    remove: remove.map(removal),
    cleared: new Set(clear.flatMap(linkKeys)),
    leaving: new Set(remove.flatMap(linkKeys)),
  };
}

/** What only one device can have. */
function claimsOf(device: Device): string[] {
  return device.kind === "vxlan" ? [...linkKeys(device), `vni ${tunnelKey(device)}`] : linkKeys(device);
}

/** An IPv4 route, by itself or made by an address: main holds one to a destination, whatever the link. */
function routeClaims(object: KernelObject): string[] {
  if (object.kind === "route" && object.table === undefined)
    return [`route ${object.netns} ${object.destination}`];
  const destination = object.kind === "address" ? connectedRoute(object) : undefined;
  return object.kind === "address" && destination ? [`route ${object.netns} ${destination}`] : [];
}

/** `from` with its ends in the order of `like`. */
function oriented(from: Device, like: Device): Device {
  if (from.kind !== "veth" || like.kind !== "veth" || linkKeys(from)[0] === linkKeys(like)[0]) return from;
  return { kind: "veth", ends: [from.ends[1], from.ends[0]] };
}

/** A program that led to one of the `links`, which are gone, leads nowhere, whatever has their names by now. */
function withoutTarget(program: Program, links: ReadonlySet<string>): Program {
  const { kind, netns, link, verdict } = program;
  return links.has(targetOf(program) ?? "") ? { kind, netns, link, verdict } : program;
}

/** The last IPv4 address of a link takes all IPv4 routes and neighbours of the link with it. */
function isFlushed(object: Attached, flushed: ReadonlySet<string>): boolean {
  if (object.kind === "route")
    return !object.destination.includes(":") && flushed.has(carrierOf(object) ?? "");
  return object.kind === "neighbor" && !object.address.includes(":") && flushed.has(carrierOf(object) ?? "");
}

/** The links on which `operations` make something, and their namespaces. */
function placesOf(operations: readonly Operation[]): Set<string> {
  return new Set(
    operations.flatMap(({ object }) =>
      isDevice(object)
        ? [...linkKeys(object), ...endsOf(object).map((end) => end.netns)]
        : [carrierOf(object) ?? "", object.netns],
    ),
  );
}

/** A setting bears no mark, so that it is not observed: it is written whenever something new depends on it. */
function isTouched(object: KernelObject, places: ReadonlySet<string>): boolean {
  return object.kind === "sysctl" && places.has(carrierOf(object) ?? object.netns);
}

/** Additions and changes of all but addresses, in the order of `wanted`. */
function diffAttached(wanted: readonly Attached[], there: readonly Attached[]): Operation[] {
  const before = new Map(there.map((object) => [identityOf(object), object]));
  return wanted.flatMap((object): Operation[] => {
    if (object.kind === "address") return [];
    const from = before.get(identityOf(object));
    if (!from) return [{ verb: "add", object }];
    return contentOf(from) === contentOf(object) ? [] : [{ verb: "change", object, from }];
  });
}

/** In reverse of the order in which things are made. A setting of a link has no removal: it goes with the link. */
function removals(there: readonly Attached[], wanted: readonly Attached[]): Operation[] {
  const staying = new Set(wanted.map(identityOf));
  const rank = new Map<string, number>(ORDER.map((kind, i) => [kind, i]));
  return there
    .filter((object) => object.kind !== "sysctl" && !staying.has(identityOf(object)))
    .reverse()
    .sort((a, b) => (rank.get(b.kind) ?? 0) - (rank.get(a.kind) ?? 0))
    .map((object): Operation => ({ verb: "remove", object }));
}
