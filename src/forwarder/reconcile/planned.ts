/** The plans that were made, indexed by device and namespace: finds the owners there and whether an event contradicts a plan. */
import type { KernelEvent, KernelObject, LinkEvent, Netns } from "../../kernel/kernel.ts";
import { linkKey } from "../../kernel/link.ts";
import { attachedKindOf, endsOf, identityOf, isDevice, linksOf, namespacesOf } from "../../kernel/objects.ts";
import { ownOf, type Owners, type Plan } from "../../kernel/plan.ts";

interface Held {
  readonly plan: Plan;
  readonly links: Set<string>;
  readonly namespaces: Set<Netns>;
}

export class Planned {
  readonly #owners: Owners;
  readonly #held = new Map<string, Held>();
  /** Owners by `linkKey`, with the namespace names that the plans use. */
  readonly #byLink = new Map<string, Set<string>>();
  readonly #byNetns = new Map<Netns, Set<string>>();
  readonly #new = new Set<Netns>();

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  /** Adds the owner's plan, which was made. Its members may change afterwards. */
  hold(plan: Plan): void {
    const { owner, shared = [] } = plan;
    this.forget(owner);
    this.#held.set(owner, { plan, links: new Set(), namespaces: new Set() });
    this.extend(owner, [...ownOf(plan), ...shared]);
  }

  /** Adds the places of `objects`, which are members of the owner by now. */
  extend(owner: string, objects: readonly KernelObject[]): void {
    const held = this.#held.get(owner);
    if (!held) return;
    for (const key of objects.flatMap(linksOf)) add(this.#byLink, held.links, key, owner);
    for (const netns of objects.flatMap(namespacesOf)) {
      if (!this.#byNetns.has(netns)) this.#new.add(netns);
      add(this.#byNetns, held.namespaces, netns, owner);
    }
  }

  forget(owner: string): void {
    const held = this.#held.get(owner);
    if (!held) return;
    this.#held.delete(owner);
    for (const key of held.links) drop(this.#byLink, key, owner);
    for (const netns of held.namespaces) drop(this.#byNetns, netns, owner);
  }

  /** Namespace names as the plans use them: one namespace may have several. */
  namespaces(): IterableIterator<Netns> {
    return this.#byNetns.keys();
  }

  /** Returns the names that were added since the last call. */
  takeNew(): Netns[] {
    const names = [...this.#new];
    this.#new.clear();
    return names;
  }

  /** Makes `takeNew` return this name again, if a plan uses it: it may mean another namespace now. */
  askAgain(netns: Netns): void {
    if (this.#byNetns.has(netns)) this.#new.add(netns);
  }

  isNamed(netns: Netns): boolean {
    return this.#byNetns.has(netns);
  }

  /**
   * The owners with objects in this namespace, each with those objects. A shared object is listed for one of its holders only.
   */
  *in(netns: Netns): Generator<readonly [owner: string, objects: readonly KernelObject[]]> {
    const told = new Set<string>();
    for (const owner of this.#byNetns.get(netns) ?? []) {
      const { own, shared } = this.#objects(owner);
      const news = shared.filter((object) => !told.has(identityOf(object)));
      for (const object of news) told.add(identityOf(object));
      yield [owner, [...own, ...news].filter((object) => namespacesOf(object).includes(netns))];
    }
  }

  /** The owner that the alias names, if its plan was made. */
  ownerOf(alias: string): string | undefined {
    const owner = this.#owners.ownerOf(alias);
    return owner !== undefined && this.#held.has(owner) ? owner : undefined;
  }

  /** Whether the owner wants a device of this name in any namespace. */
  wantsName(owner: string, name: string): boolean {
    const { own, shared } = this.#objects(owner);
    return [...own, ...shared].some(
      (each) => isDevice(each) && endsOf(each).some((end) => end.name === name),
    );
  }

  /** The owners whose plans an event about a device contradicts; `netns` is the plans' name for its namespace. */
  deniedBy(event: KernelEvent, netns: Netns): string[] {
    const link = "link" in event ? event.link : undefined;
    if (link === undefined) return [];
    const names = event.type === "link" && event.formerly !== undefined ? [link, event.formerly] : [link];
    const owners = new Set(names.flatMap((name) => this.#on(netns, name)));
    const denied = [...owners].filter((owner) => this.isDenied(owner, event, netns));
    const stray = event.type === "link" ? this.ownerOf(event.facts?.alias ?? "") : undefined;
    if (stray !== undefined && this.isDenied(stray, event, netns)) denied.push(stray);
    return [...new Set(denied)];
  }

  isDenied(owner: string, event: KernelEvent, netns: Netns): boolean {
    const { own, shared } = this.#objects(owner);
    if (event.type === "link" && this.#isStray(owner, event)) return true;
    const at = (name: string): KernelObject[] =>
      [...own, ...shared].filter((object) => linksOf(object).includes(linkKey(netns, name)));
    switch (event.type) {
      case "link":
        if (event.formerly !== undefined && at(event.formerly).some(isDevice)) return true;
        return isLinkDenied(at(event.link), event);
      case "address":
        return event.link !== undefined && at(event.link).some((object) => isDenied(object, event));
      case "route":
      case "neighbor":
      case "program":
        return event.link !== undefined && at(event.link).length > 0;
      case "netns-removed":
      case "resync":
      default:
        return false;
    }
  }

  /** Whether the device is the owner's but has a name that none of its devices should have. */
  #isStray(owner: string, { link, facts }: LinkEvent): boolean {
    return facts !== undefined && this.ownerOf(facts.alias) === owner && !this.wantsName(owner, link);
  }

  #objects(owner: string): {
    readonly own: readonly KernelObject[];
    readonly shared: readonly KernelObject[];
  } {
    const plan = this.#held.get(owner)?.plan;
    return { own: plan ? ownOf(plan) : [], shared: plan?.shared ?? [] };
  }

  /** The owners with something on a device: all with objects of their own there, and one of those that only share it. */
  #on(netns: Netns, link: string): string[] {
    const key = linkKey(netns, link);
    const owners = [...(this.#byLink.get(key) ?? [])];
    const isOwn = (owner: string): boolean =>
      this.#objects(owner).own.some((object) => linksOf(object).includes(key));
    const sharing = owners.find((owner) => !isOwn(owner));
    return owners.filter((owner) => owner === sharing || isOwn(owner));
  }
}

function isLinkDenied(objects: readonly KernelObject[], event: LinkEvent): boolean {
  const { facts, link } = event;
  const ends = objects
    .filter(isDevice)
    .flatMap(endsOf)
    .filter(({ name }) => name === link);
  if (!facts) return ends.length > 0;
  if (event.wentDown) return objects.length > 0;
  const isOther = ends.some(
    ({ mac, mtuBytes, alias }) =>
      !facts.isOurs || facts.mac !== mac || facts.mtuBytes !== mtuBytes || facts.alias !== alias,
  );
  return isOther || objects.some((object) => isDenied(object, event));
}

function isDenied(object: KernelObject, event: KernelEvent): boolean {
  return !isDevice(object) && (attachedKindOf(object).isDeniedBy?.(object, event) ?? false);
}

function add<K>(map: Map<K, Set<string>>, keys: Set<K>, key: K, owner: string): void {
  keys.add(key);
  map.set(key, (map.get(key) ?? new Set()).add(owner));
}

function drop<K>(map: Map<K, Set<string>>, key: K, owner: string): void {
  const owners = map.get(key);
  owners?.delete(owner);
  if (owners?.size === 0) map.delete(key);
}
