/**
 * The list of all kinds of kernel objects, and the functions for objects of any kind. A new kind is a file in objects/ and
 * a line here; the compiler then reports the missing parts in `linux` and `sim`.
 */
import { carrierKey, type LinkEnd, linkKey, type Netns, type OnLink } from "./link.ts";
import type { AttachedKind, Attraction, SoleClaim, DeviceKind, KernelObjectKind } from "./object-kind.ts";
import { address } from "./objects/address.ts";
import { externalVxlan } from "./objects/external-vxlan.ts";
import { neighbor } from "./objects/neighbor.ts";
import { program } from "./objects/program.ts";
import { qdisc } from "./objects/qdisc.ts";
import { route } from "./objects/route.ts";
import { rule } from "./objects/rule.ts";
import { sysctl } from "./objects/sysctl.ts";
import { up } from "./objects/up.ts";
import { veth } from "./objects/veth.ts";
import { vxlan } from "./objects/vxlan.ts";
import { stableText } from "./stable-text.ts";

const LIST = {
  veth,
  vxlan,
  "external-vxlan": externalVxlan,
  up,
  address,
  route,
  rule,
  neighbor,
  program,
  qdisc,
  sysctl,
} as const;

export type ObjectKindName = keyof typeof LIST;

/** The objects of one kind. */
export type ObjectOf<K extends ObjectKindName> = Parameters<(typeof LIST)[K]["describe"]>[0];

export type KernelObject = { [K in ObjectKindName]: ObjectOf<K> }[ObjectKindName];

type DeviceName = {
  [K in ObjectKindName]: (typeof LIST)[K] extends { readonly isDevice: true } ? K : never;
}[ObjectKindName];

/** An object that other objects are on. */
export type Device = { [K in DeviceName]: ObjectOf<K> }[DeviceName];
export type AttachedObject = Exclude<KernelObject, Device>;

/** All kinds, by name. */
const KINDS: { readonly [K in ObjectKindName]: KernelObjectKind<ObjectOf<K>> } = LIST;

export const KIND_NAMES = Object.keys(KINDS) as readonly ObjectKindName[];

/** The kind of an object. The cast is safe: `KINDS` maps each name to the kind of its objects. */
export function kindOf<T extends KernelObject>(object: T): KernelObjectKind<T> {
  return KINDS[object.kind] as unknown as KernelObjectKind<T>;
}

function deviceKindOf<T extends Device>(device: T): DeviceKind<T> {
  return KINDS[device.kind] as unknown as DeviceKind<T>;
}

export function attachedKindOf<T extends AttachedObject>(object: T): AttachedKind<T> {
  return KINDS[object.kind] as unknown as AttachedKind<T>;
}

export function isDevice(object: KernelObject): object is Device {
  return kindOf(object).isDevice ?? false;
}

export function isAttached(object: KernelObject): object is AttachedObject {
  return !isDevice(object);
}

/** The device type in Linux (IFLA_INFO_KIND). */
export function infoKindOf(device: Device): string {
  return deviceKindOf(device).infoKind;
}

/** Is this the device type of a kind of this list? */
export function isInfoKind(word: string | undefined): boolean {
  return KIND_NAMES.some((name) => {
    const kind = KINDS[name];
    return kind.isDevice && kind.infoKind === word;
  });
}

/** The objects of one kind, for code that handles that kind alone. */
export function ofKind<K extends ObjectKindName>(objects: readonly KernelObject[], kind: K): ObjectOf<K>[] {
  return objects.filter((object): object is KernelObject & ObjectOf<K> => object.kind === kind);
}

/** Is the object a pair, which is removed with either of its ends? */
export function isPair(object: KernelObject): boolean {
  return isDevice(object) && endsOf(object).length > 1;
}

export function endsOf(device: Device): readonly LinkEnd[] {
  return deviceKindOf(device).ends(device);
}

/** The link keys of all ends of a device. */
export function linkKeys(device: Device): string[] {
  return endsOf(device).map(({ netns, name }) => linkKey(netns, name));
}

/** The device that the object is on and goes away with; `undefined` for a rule, or a setting of a namespace. */
export function carrierOf(object: AttachedObject): OnLink | undefined {
  return attachedKindOf(object).carrier(object);
}

/** The link keys of a device, or of the device that an object is on. */
export function linksOf(object: KernelObject): string[] {
  if (isDevice(object)) return linkKeys(object);
  const carrier = carrierOf(object);
  return carrier ? [carrierKey(carrier)] : [];
}

/** Every namespace that the object is in or needs. */
export function namespacesOf(object: KernelObject): readonly Netns[] {
  return kindOf(object).namespaces(object);
}

/** Objects with the same identity cannot exist at the same time; `change` turns one into the other. */
export function identityOf(object: KernelObject): string {
  const kind = kindOf(object);
  return kind.identity ? kind.identity(object) : contentOf(object);
}

/** Equal text for equal objects, with defaults filled in and veth ends in one order. */
export function contentOf(object: KernelObject): string {
  const kind = kindOf(object);
  return stableText(kind.normal ? kind.normal(object) : object);
}

/** The exclusive properties of the object: names, tunnels, addresses, routes, rules. */
export function claimsOf(object: KernelObject): readonly SoleClaim[] {
  return kindOf(object).claims?.(object) ?? [];
}

/** Can the object be observed? */
export function isMarked(object: KernelObject): boolean {
  return isDevice(object) || !attachedKindOf(object).isUnmarked;
}

/** The destinations whose packets the object draws to its device. */
export function attractionsOf(object: KernelObject): readonly Attraction[] {
  return isDevice(object) ? [] : (attachedKindOf(object).attracts?.(object) ?? []);
}

/** Must the object be removed before its device, so that it draws no packets to a vanishing device? */
export function isWithdrawn(object: KernelObject): boolean {
  return (
    isAttached(object) &&
    (attractionsOf(object).length > 0 || (attachedKindOf(object).isWithdrawn?.(object) ?? false))
  );
}

/** The object with renamed namespaces; `undefined` if one of them has no name any more. */
export function renamed(
  object: KernelObject,
  nameOf: (netns: Netns) => Netns | undefined,
): KernelObject | undefined {
  if (!isDevice(object)) {
    const netns = nameOf(object.netns);
    return netns && { ...object, netns };
  }
  const ends = endsOf(object).flatMap((end) => {
    const netns = nameOf(end.netns);
    return netns ? [{ ...end, netns }] : [];
  });
  return ends.length < endsOf(object).length ? undefined : deviceKindOf(object).withEnds(object, ends);
}

/** `device` with other ends: the same number in the same order. */
export function withEnds(device: Device, ends: readonly LinkEnd[]): Device {
  return deviceKindOf(device).withEnds(device, ends);
}

/** `device` with its ends in the order of `like`, which has the same ends. */
export function oriented(device: Device, like: Device): Device {
  const order = linkKeys(like);
  const ends = [...endsOf(device)].sort((a, b) => order.indexOf(keyOf(a)) - order.indexOf(keyOf(b)));
  return deviceKindOf(device).withEnds(device, ends);
}

function keyOf({ netns, name }: LinkEnd): string {
  return linkKey(netns, name);
}
