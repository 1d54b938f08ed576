/** Reads the kernel for the reconciler: only the places where an object may be, and only the objects of one owner. */
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
import { isHostAlias, type Owners } from "../../kernel/plan.ts";
import { type ByOwner, groupByOwner, ownedKeysOf, ownerKeysOf } from "./owner.ts";

export class Observer {
  readonly #kernel: Kernel;
  readonly #owners: Owners;

  constructor(kernel: Kernel, owners: Owners) {
    this.#kernel = kernel;
    this.#owners = owners;
  }

  /** All objects with the owner mark. A missing namespace counts as empty; a namespace with two names is read once. */
  async everything(namespaces: readonly Netns[]): Promise<KernelObject[]> {
    const names = new Map<string, Netns>();
    for (const netns of namespaces) {
      const identity = await this.#identity(netns);
      if (identity !== undefined && !names.has(identity)) names.set(identity, netns);
    }
    return await this.#observe([...names.values()].map((netns) => ({ netns })));
  }

  /**
   * The objects of `owner` at the places of `objects`: those that bear its name, nameless ones on its links, as a crash leaves
   * them, and those of the host that are among `objects`. Nothing of other owners.
   */
  async ofOwner(owner: string, objects: readonly KernelObject[]): Promise<KernelObject[]> {
    const { owned, host, nameless } = await this.#groups(objects);
    return [...(owned.get(owner) ?? []), ...amongst(objects, host), ...nameless.filter(isAtPlaceOf(objects))];
  }

  /** All objects that bear the owner's name in the namespaces of `objects`, and the host's devices with an alias of `objects`. */
  async everyPlaceOf(owner: string, objects: readonly KernelObject[]): Promise<readonly KernelObject[]> {
    const all = await this.everything([...new Set(objects.flatMap(namespacesOf))]);
    const { owned, host } = groupByOwner(all, this.#owners);
    const aliases = new Set(aliasesOf(objects).filter(isHostAlias));
    const shared = host.filter((object) => aliasesOf([object]).some((alias) => aliases.has(alias)));
    return [...(owned.get(owner) ?? []), ...shared];
  }

  /** The host's `objects` that still exist. */
  async ofHost(objects: readonly KernelObject[]): Promise<KernelObject[]> {
    return objects.length === 0 ? [] : amongst(objects, (await this.#groups(objects)).host);
  }

  /** The `orphans` that still exist without an owner, except those on the links `claimed`. */
  async orphans(orphans: readonly KernelObject[], claimed: ReadonlySet<string>): Promise<KernelObject[]> {
    if (orphans.length === 0) return [];
    const { nameless } = await this.#groups(orphans);
    return nameless
      .filter(isAtPlaceOf(orphans))
      .filter((object) => !linksOf(object).some((key) => claimed.has(key)));
  }

  /**
   * Returns `before` with the namespace names that `wanted` uses: a namespace may have been called by its path earlier and by its
   * inode now. Objects in a namespace that is gone are left out.
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

function aliasesOf(objects: readonly KernelObject[]): string[] {
  return objects
    .filter(isDevice)
    .flatMap(endsOf)
    .map(({ alias }) => alias);
}

/** The objects of `found` whose identity is among `objects`, whatever their content. */
function amongst(objects: readonly KernelObject[], found: readonly KernelObject[]): KernelObject[] {
  const identities = new Set(objects.map(identityOf));
  return found.filter((object) => identities.has(identityOf(object)));
}

/** Returns a predicate: whether an object is on a device of `objects`, or belongs to one of `objects` that is on no device. */
function isAtPlaceOf(objects: readonly KernelObject[]): (object: KernelObject) => boolean {
  const keys = new Set(
    objects.flatMap((object) => [
      ...(isDevice(object) || linksOf(object).length === 0 ? ownerKeysOf(object) : []),
      ...ownedKeysOf(object),
    ]),
  );
  return (object) => ownerKeysOf(object).some((key) => keys.has(key));
}

/** Queries by namespace for the links of `objects`. A namespace with an object that is on no link is read as a whole. */
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
