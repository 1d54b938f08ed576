/** Looks at the kernel for the reconciler: only where an object may be, and only at what an owner has. */
import { NetloomError } from "../../errors/errors.ts";
import type { Kernel, KernelObject, Netns, ObserveQuery } from "../../kernel/kernel.ts";
import {
  carrierOf,
  endsOf,
  identityOf,
  isDevice,
  isMarked,
  linksOf,
  namespacesOf,
  renamed,
} from "../../kernel/objects.ts";
import type { Owners } from "../../kernel/plan.ts";
import { type ByOwner, groupByOwner, ownedKeysOf, ownerKeysOf } from "./owner.ts";

export class Observer {
  readonly #kernel: Kernel;
  readonly #owners: Owners;

  constructor(kernel: Kernel, owners: Owners) {
    this.#kernel = kernel;
    this.#owners = owners;
  }

  /** All with our mark. A namespace that is not there is empty; one that is named twice is looked at once. */
  async everything(namespaces: readonly Netns[]): Promise<KernelObject[]> {
    const names = new Map<string, Netns>();
    for (const netns of namespaces) {
      const identity = await this.#identity(netns);
      if (identity !== undefined && !names.has(identity)) names.set(identity, netns);
    }
    return await this.#observe([...names.values()].map((netns) => ({ netns })));
  }

  /**
   * What is there of `owner` at the places of `objects`: what bears its name, what is on its links and bears no name, as a crash
   * leaves it, and of the host's objects those that are among `objects`. Nothing of other owners.
   */
  async ofOwner(owner: string, objects: readonly KernelObject[]): Promise<KernelObject[]> {
    const { owned, host, nameless } = await this.#groups(objects);
    return [...(owned.get(owner) ?? []), ...amongst(objects, host), ...nameless.filter(isAtPlaceOf(objects))];
  }

  /** What bears the owner's name anywhere in the namespaces of `objects`. */
  async everyPlaceOf(owner: string, objects: readonly KernelObject[]): Promise<readonly KernelObject[]> {
    const all = await this.everything([...new Set(objects.flatMap(namespacesOf))]);
    return groupByOwner(all, this.#owners).owned.get(owner) ?? [];
  }

  /** What is still there of the host's `objects`. */
  async ofHost(objects: readonly KernelObject[]): Promise<KernelObject[]> {
    return objects.length === 0 ? [] : amongst(objects, (await this.#groups(objects)).host);
  }

  /** What is still there of `orphans` and still without owner, except for what is on the links `claimed`. */
  async orphans(orphans: readonly KernelObject[], claimed: ReadonlySet<string>): Promise<KernelObject[]> {
    if (orphans.length === 0) return [];
    const { nameless } = await this.#groups(orphans);
    return nameless
      .filter(isAtPlaceOf(orphans))
      .filter((object) => !linksOf(object).some((key) => claimed.has(key)));
  }

  /**
   * `before`, with the namespace names that `wanted` uses: one namespace may have been called by its path earlier and by
   * its inode now. What was in a namespace that is gone is left out.
   */
  async sameNames(
    before: readonly KernelObject[],
    wanted: readonly KernelObject[],
  ): Promise<readonly KernelObject[]> {
    const names = new Set(wanted.flatMap(namespacesOf));
    const strange = [...new Set(before.flatMap(namespacesOf))].filter((netns) => !names.has(netns));
    if (strange.length === 0) return before;
    const identities = new Map<string, Netns>();
    for (const netns of names) {
      const identity = await this.#identity(netns);
      if (identity !== undefined) identities.set(identity, netns);
    }
    const anew = new Map<Netns, Netns | undefined>();
    for (const netns of strange) {
      const identity = await this.#identity(netns);
      anew.set(netns, identity === undefined ? undefined : (identities.get(identity) ?? netns));
    }
    const nameOf = (netns: Netns): Netns | undefined => (anew.has(netns) ? anew.get(netns) : netns);
    return before.flatMap((object) => renamed(object, nameOf) ?? []);
  }

  async #groups(objects: readonly KernelObject[]): Promise<ByOwner> {
    return groupByOwner(await this.#observe(queriesFor(objects)), this.#owners);
  }

  async #observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]> {
    try {
      return await this.#kernel.observe(queries);
    } catch (error) {
      if (!(error instanceof NetloomError) || error.code !== "NOT_FOUND") throw error;
    }
    const alive: ObserveQuery[] = [];
    for (const query of queries) if ((await this.#identity(query.netns)) !== undefined) alive.push(query);
    return await this.#kernel.observe(alive);
  }

  async #identity(netns: Netns): Promise<string | undefined> {
    try {
      return (await this.#kernel.resolve(netns)).netns;
    } catch (error) {
      if (error instanceof NetloomError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }
}

/** Those of `found` that are among `objects`, whatever they look like now. */
function amongst(objects: readonly KernelObject[], found: readonly KernelObject[]): KernelObject[] {
  const identities = new Set(objects.map(identityOf));
  return found.filter((object) => identities.has(identityOf(object)));
}

/** Whether an object is on a device of `objects`, or belongs to what hangs on none. */
function isAtPlaceOf(objects: readonly KernelObject[]): (object: KernelObject) => boolean {
  const keys = new Set(
    objects.flatMap((object) => [
      ...(isDevice(object) || linksOf(object).length === 0 ? ownerKeysOf(object) : []),
      ...ownedKeysOf(object),
    ]),
  );
  return (object) => ownerKeysOf(object).some((key) => keys.has(key));
}

/** Links by namespace. Where there is something that hangs on no link, all of the namespace is looked at. */
function queriesFor(objects: readonly KernelObject[]): ObserveQuery[] {
  const links = new Map<Netns, Set<string>>();
  const whole = new Set<Netns>();
  const look = (netns: Netns, link: string): void => {
    links.set(netns, (links.get(netns) ?? new Set()).add(link));
  };
  for (const object of objects.filter(isMarked)) {
    if (isDevice(object)) {
      for (const { netns, name } of endsOf(object)) look(netns, name);
      continue;
    }
    const carrier = carrierOf(object);
    if (carrier) look(carrier.netns, carrier.link);
    else whole.add(object.netns);
  }
  const all = new Set([...links.keys(), ...whole]);
  return [...all].map((netns) =>
    whole.has(netns) ? { netns } : { netns, links: [...(links.get(netns) ?? [])] },
  );
}
