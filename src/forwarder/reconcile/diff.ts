/**
 * Computes the operations that turn the observed objects into the wanted ones, in an order that breaks nothing that is right:
 *
 * 1. remove devices that stand in the way of wanted ones
 * 2. add and change wanted objects, phase by phase (`PHASES`): devices, their guards, addresses, up, and what uses them
 * 3. remove unwanted objects in reverse, devices last: objects on a device go with it
 *
 * Objects that attract packets are removed before their device: the kernel takes its time to free a device, which would go on
 * attracting packets until then.
 */
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import { PHASES } from "../../kernel/object-kind.ts";
import {
  type AttachedObject,
  attachedKindOf,
  isWithdrawn,
  claimsOf,
  contentOf,
  type Device,
  identityOf,
  isAttached,
  isDevice,
  isMarked,
  kindOf,
  linkKeys,
  linksOf,
  namespacesOf,
  oriented,
} from "../../kernel/objects.ts";
import { isDeviceRemoval } from "../../kernel/operations.ts";

/**
 * Returns the operations that lead from `observed` to `wanted`; both must be complete for the links that they mention. Pure;
 * empty if nothing is to do. Changes objects in place where the kernel can. Objects that go with their device are not removed
 * separately, unless they attract packets. `batches` tells how to apply the result.
 */
export function diff(wanted: readonly KernelObject[], observed: readonly KernelObject[]): Operation[] {
  const devices = diffDevices(wanted, observed);
  const [attached, before] = [wanted.filter(isAttached), observed.filter(isAttached)];
  const there = before
    .filter((object) => !isOn(object, devices.cleared))
    .map((object) => attachedKindOf(object).withoutLinks?.(object, devices.cleared) ?? object);

  const sets = diffSets(
    attached,
    there.filter((object) => !isOn(object, devices.leaving)),
  );
  const isLost = (object: AttachedObject): boolean =>
    attachedKindOf(object)
      .lostWith?.(object)
      .some((loss) => sets.lost.has(loss)) ?? false;
  const kept = there.filter((object) => !isSet(object) && !isLost(object));
  const steps = [...sets.operations, ...diffAttached(attached, kept)];
  // A device that grows beyond the smallest MTU of IPv6 gets all of its settings anew.
  const touched = placesOfUsers([...devices.make, ...steps]);
  const isDue = ({ object }: Operation): boolean => isMarked(object) || isTouched(object, touched);
  const inOrder = PHASES.flatMap((phase) => steps.filter((step) => phaseOf(step) === phase).filter(isDue));
  const withdrawals = (links: ReadonlySet<string>): Operation[] =>
    removals(
      before.filter((object) => isWithdrawn(object) && isOn(object, links)),
      // An object that comes again with the same identity comes on another device.
      attached.filter((object) => !attachedKindOf(object).isWithdrawn?.(object)),
    );
  return [
    ...withdrawals(devices.cleared),
    ...devices.clear,
    ...devices.make,
    ...inOrder,
    ...removals(kept, attached).filter(({ object }) => !isOn(object, devices.leaving)),
    ...withdrawals(devices.leaving),
    ...devices.remove,
  ];
}

/**
 * Splits operations after a device removal that is followed by something else: a removed device cannot come back, so its removal
 * has to be the last step of a batch that can be undone.
 */
export function batches(operations: readonly Operation[]): Operation[][] {
  const all: Operation[][] = [];
  let current: Operation[] = [];
  for (const operation of operations) {
    const last = current.at(-1);
    if (last && isDeviceRemoval(last) && !isDeviceRemoval(operation)) {
      all.push(current);
      current = [];
    }
    current.push(operation);
  }
  return current.length > 0 ? [...all, current] : all;
}

function isOn(object: KernelObject, links: ReadonlySet<string>): boolean {
  return linksOf(object).some((link) => links.has(link));
}

interface DeviceSteps {
  /** Removed first, because a wanted device needs their name or VNI. */
  readonly clear: Operation[];
  readonly make: Operation[];
  readonly remove: Operation[];
  /** Links of `clear`. */
  readonly cleared: ReadonlySet<string>;
  /** Links of `remove`. */
  readonly leaving: ReadonlySet<string>;
}

function diffDevices(wanted: readonly KernelObject[], observed: readonly KernelObject[]): DeviceSteps {
  const there = observed.filter(isDevice);
  const before = new Map(there.map((device) => [identityOf(device), device]));
  const make: Operation[] = [];
  const claims = new Set(wanted.filter(isAttached).flatMap(exclusive));
  for (const device of wanted.filter(isDevice)) {
    const from = before.get(identityOf(device));
    if (!from) {
      make.push({ verb: "add", object: device });
      for (const claim of exclusive(device)) claims.add(claim);
    } else if (contentOf(from) !== contentOf(device)) {
      make.push({ verb: "change", object: device, from: oriented(from, device) });
    }
  }
  const identities = new Set(wanted.map(identityOf));
  const gone = there.filter((device) => !identities.has(identityOf(device))).reverse();
  const isInTheWay = (device: Device): boolean => {
    const links = new Set(linkKeys(device));
    // An object that is identified by its claim becomes the wanted one in place.
    const brought = observed
      .filter(isAttached)
      .filter((object) => isOn(object, links))
      .flatMap((object) => exclusive(object).filter((claim) => claim !== identityOf(object)));
    return [...exclusive(device), ...brought].some((claim) => claims.has(claim));
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

/** Keys of the claims that the kernel grants only once. */
function exclusive(object: KernelObject): string[] {
  return claimsOf(object).flatMap(({ key, mayRepeat }) => (mayRepeat ? [] : [key]));
}

/** Whether the object's kind computes its own steps, from one set of objects to another. */
function isSet(object: AttachedObject): boolean {
  return attachedKindOf(object).steps !== undefined;
}

interface SetSteps {
  readonly operations: Operation[];
  readonly lost: ReadonlySet<string>;
}

/** The steps of all kinds that compute their own. */
function diffSets(wanted: readonly AttachedObject[], there: readonly AttachedObject[]): SetSteps {
  const operations: Operation[] = [];
  const lost = new Set<string>();
  for (const kind of new Set([...wanted, ...there].map(attachedKindOf))) {
    const isOfKind = (object: AttachedObject): boolean => attachedKindOf(object) === kind;
    const steps = kind.steps?.(wanted.filter(isOfKind), there.filter(isOfKind));
    operations.push(...(steps?.operations ?? []));
    for (const loss of steps?.lost ?? []) lost.add(loss);
  }
  return { operations, lost };
}

/** Additions and changes of all other kinds, in the order of `wanted`. */
function diffAttached(wanted: readonly AttachedObject[], there: readonly AttachedObject[]): Operation[] {
  const before = new Map(there.map((object) => [identityOf(object), object]));
  return wanted.flatMap((object): Operation[] => {
    if (isSet(object)) return [];
    const from = before.get(identityOf(object));
    if (!from) return [{ verb: "add", object }];
    return contentOf(from) === contentOf(object) ? [] : [{ verb: "change", object, from }];
  });
}

/** All steps of a set share the phase of an addition. */
function phaseOf({ verb, object }: Operation): string {
  if (isDevice(object)) return "devices";
  return attachedKindOf(object).phase[isSet(object) ? "add" : verb];
}

/** The links, with their namespaces, that get something new that depends on settings. */
function placesOfUsers(operations: readonly Operation[]): Set<string> {
  return new Set(
    operations
      .filter(({ verb, object }) => kindOf(object).usesSettings && (verb === "add" || isDevice(object)))
      .flatMap(({ object }) => [...linksOf(object), ...namespacesOf(object)]),
  );
}

/** Objects without a mark cannot be observed: they are written whenever something new depends on them. */
function isTouched(object: KernelObject, places: ReadonlySet<string>): boolean {
  const [place] = [...linksOf(object), ...namespacesOf(object)];
  return place !== undefined && places.has(place);
}

/** In reverse creation order. Objects without a mark have no removal: they go with their link. */
function removals(there: readonly AttachedObject[], wanted: readonly AttachedObject[]): Operation[] {
  const staying = new Set(wanted.map(identityOf));
  const rank = (object: AttachedObject): number => PHASES.indexOf(attachedKindOf(object).phase.remove);
  return there
    .filter((object) => isMarked(object) && !staying.has(identityOf(object)))
    .reverse()
    .sort((a, b) => rank(b) - rank(a))
    .map((object): Operation => ({ verb: "remove", object }));
}
