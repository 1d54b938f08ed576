/** The identifiers of one tunnel type on one host, with their owners. */
import type { Random } from "../world/world.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Identifier, RemoteType } from "./mechanism-type.ts";

const MAX_DRAWS = 64;
const MAX_AVOIDED = 4_096;

interface TakeOptions {
  /** The connection that holds the identifier. Default: the owner. */
  readonly holder?: string;
  readonly attempt?: number;
}

interface Claim {
  readonly owner: string;
  holder: string;
}

/** One pool for each tunnel type, made at its first use. */
export class IdentifierPools {
  readonly #random: Random;
  readonly #pools = new Map<string, IdentifierPool>();

  constructor(random: Random) {
    this.#random = random;
  }

  of({ type, identifier }: Pick<RemoteType, "type" | "identifier">): IdentifierPool {
    const known = this.#pools.get(type) ?? new IdentifierPool(this.#random, identifier);
    this.#pools.set(type, known);
    return known;
  }

  /** The number of identifiers in use. */
  get size(): number {
    return [...this.#pools.values()].reduce((sum, pool) => sum + pool.size, 0);
  }
}

/**
 * One pool for all tunnels of a type, whoever asked for them: the kernel accepts a VNI once for each port and family.
 *
 * Guarantees
 * - An identifier never has two owners. The owner is a wire; a newer connection of the same wire takes the identifier over, and
 *   the end of an older connection does not release it.
 * - An identifier that a stranger's device has is not drawn again.
 */
export class IdentifierPool {
  readonly #random: Random;
  readonly #identifier: Identifier;
  readonly #owners = new Map<number, Claim>();
  readonly #avoided = new Set<number>();

  constructor(random: Random, identifier: Identifier) {
    this.#random = random;
    this.#identifier = identifier;
  }

  get size(): number {
    return this.#owners.size;
  }

  ownerOf(id: number): string | undefined {
    return this.#owners.get(id)?.owner;
  }

  /** Draws a random free identifier, another one for each `attempt` of an owner. RESOURCE_EXHAUSTED if none turns up. */
  take(owner: string, { holder = owner, attempt = 1 }: TakeOptions = {}): number {
    const { key, noun, firstDrawn, lastDrawn } = this.#identifier;
    for (let i = 0; i < MAX_DRAWS; i++) {
      const fraction = this.#random.fraction(`${key} of ${owner}`, attempt * MAX_DRAWS + i);
      const id = firstDrawn + Math.floor(fraction * (lastDrawn + 1 - firstDrawn));
      if (!this.#owners.has(id) && !this.#avoided.has(id)) {
        this.#owners.set(id, { owner, holder });
        return id;
      }
    }
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `take a ${noun}: ${this.#owners.size} of this host are in use`,
      { reason: reason("NO_FREE_IDENTIFIER", { identifier: key }) },
    );
  }

  /** Takes exactly this identifier. False if another owner has it. */
  claim(id: number, owner: string, holder = owner): boolean {
    const known = this.#owners.get(id);
    if (known && known.owner !== owner) return false;
    this.#owners.set(id, { owner, holder });
    return true;
  }

  /** Gives an identifier back, if `holder` was the last to claim it. */
  release(id: number, holder: string): void {
    if (this.#owners.get(id)?.holder === holder) this.#owners.delete(id);
  }

  /** Keeps the pool from drawing an identifier that a stranger's device has. */
  avoid(id: number): void {
    this.#avoided.add(id);
    const [oldest] = this.#avoided;
    if (this.#avoided.size > MAX_AVOIDED && oldest !== undefined) this.#avoided.delete(oldest);
  }
}
