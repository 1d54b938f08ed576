/** Maps the namespace of an event to its names in plans: one namespace may be known by a path and by its inode. */
import { NetloomError } from "../../errors/errors.ts";
import type { Planned } from "../../forwarder/reconcile/planned.ts";
import type { Kernel, Netns } from "../../kernel/kernel.ts";

export class Namesakes {
  readonly #kernel: Pick<Kernel, "resolve">;
  readonly #planned: Planned;
  readonly #identities = new Map<Netns, string>();
  readonly #names = new Map<string, Set<Netns>>();

  constructor(kernel: Pick<Kernel, "resolve">, planned: Planned) {
    this.#kernel = kernel;
    this.#planned = planned;
  }

  /** The names in plans for the kernel's `netns`. Each name is resolved once, so that only new names cost a call. */
  async of(netns: Netns): Promise<readonly Netns[]> {
    for (const name of this.#planned.takeNew()) await this.#identify(name);
    const identity = await this.#identify(netns);
    const names = identity === undefined ? [netns] : (this.#names.get(identity) ?? []);
    return [...names].filter((name) => this.#planned.isNamed(name));
  }

  /** Forgets a namespace that is gone: its names may mean another one from now on. */
  forget(netns: Netns): void {
    const identity = this.#identities.get(netns);
    if (identity === undefined) return;
    for (const name of this.#names.get(identity) ?? []) {
      this.#identities.delete(name);
      this.#planned.askAgain(name);
    }
    this.#names.delete(identity);
  }

  async #identify(netns: Netns): Promise<string | undefined> {
    const known = this.#identities.get(netns);
    if (known !== undefined) return known;
    try {
      const { netns: identity } = await this.#kernel.resolve(netns);
      this.#identities.set(netns, identity);
      this.#names.set(identity, (this.#names.get(identity) ?? new Set()).add(netns));
      return identity;
    } catch (error) {
      // The namespace is gone, or the kernel does not answer: then a full check follows soon.
      if (error instanceof NetloomError) return undefined;
      throw error;
    }
  }
}
