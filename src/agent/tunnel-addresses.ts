/** Checks the addresses of this host's ends of tunnels, and reports those that cannot be used. */
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, OwnAddress } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";

/**
 * Guarantees
 * - An address that cannot be used is listed in `World.retries` and logged, with the reason and a remedy. Its return is
 *   logged, too.
 * - An address whose device has no carrier is used and reported: only the packets wait.
 */
export class TunnelAddresses {
  readonly #all: readonly string[];
  readonly #world: World;
  readonly #kernel: Pick<Kernel, "addresses">;
  /** The reason why an address cannot be used, in words, by address. Empty before the first check. */
  readonly #problems = new Map<string, string>();
  readonly #usable = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(world: World, kernel: Pick<Kernel, "addresses">, all: readonly string[]) {
    this.#world = world;
    this.#kernel = kernel;
    this.#all = all;
  }

  /** Whether new tunnels may end at the address. */
  isUsable(address: string): boolean {
    return this.#usable.has(address);
  }

  async look(): Promise<void> {
    const found = await this.#kernel.addresses(this.#all.map((address) => ({ netns: "host", address })));
    for (const [i, address] of this.#all.entries()) this.#judge(address, found[i]);
  }

  #judge(address: string, found: OwnAddress | undefined): void {
    if (found?.state === "usable") {
      this.#usable.add(address);
      this.#seen.add(address);
    } else this.#usable.delete(address);
    this.#say(address, problemOf(address, found, this.#seen.has(address)));
  }

  #say(address: string, problem: string | undefined): void {
    const before = this.#problems.get(address);
    if (problem === before) return;
    const { log, retries } = this.#world;
    const what = `use the tunnel address ${address}`;
    if (problem === undefined) {
      this.#problems.delete(address);
      retries.over(what);
      log.info("a tunnel address can be used", { address });
    } else {
      this.#problems.set(address, problem);
      // Restart the entry, so that its age is that of the new reason.
      retries.over(what);
      retries.failed(what, new NetloomError("FAILED_PRECONDITION", problem));
      log.warn("a tunnel address cannot be used", { address, problem });
    }
  }
}

function problemOf(address: string, found: OwnAddress | undefined, wasThere: boolean): string | undefined {
  if (!found && wasThere)
    return `this host no longer has ${address}: its wires to other hosts carry no packets; add it again (ip address add), or start the agent with another --tunnel-ip`;
  if (!found)
    return `this host does not have ${address} yet: wires inside of it work, those to other hosts wait; give it the address (ip address add), or start the agent with another --tunnel-ip`;
  const { link, state, isUp, hasCarrier } = found;
  if (state === "duplicate")
    return `another host on the link of ${link} also has ${address}: give this host another address, and start the agent with it; see: ip -6 address show dadfailed`;
  if (!isUp) return `${address} is on ${link}, which is down: ip link set ${link} up`;
  if (!hasCarrier) return `${address} is on ${link}, and ${link} has no carrier: its other end is down`;
  return state === "tentative"
    ? `the kernel checks whether another host on the link of ${link} has ${address}`
    : undefined;
}
