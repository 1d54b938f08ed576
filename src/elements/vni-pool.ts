/** The VNIs of one host: who has which. */
import { MAX_VNI } from "../kernel/objects/vxlan.ts";
import type { Random } from "../world/world.ts";
import { NetloomError } from "../errors/errors.ts";

/** Strangers' VNIs are typed by people: small. */
const FIRST_VNI = 4_096;
const MAX_DRAWS = 64;
const MAX_AVOIDED = 4_096;

interface TakeOptions {
  /** The connection. Default: the owner. */
  readonly holder?: string;
  readonly attempt?: number;
}

interface Claim {
  readonly owner: string;
  holder: string;
}

/**
 * One for all tunnels of a host, whichever way they were asked for: the kernel knows a VNI once for each port and family.
 *
 * Guarantees
 * - A VNI never has two owners. An owner is a wire; a newer connection of the same wire takes the VNI over, and what
 *   becomes of an older one does not touch it.
 * - One that a stranger's device has is not drawn again.
 */
export class VniPool {
  readonly #random: Random;
  readonly #owners = new Map<number, Claim>();
  readonly #avoided = new Set<number>();

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#owners.size;
  }

  ownerOf(vni: number): string | undefined {
    return this.#owners.get(vni)?.owner;
  }

  /** A VNI by chance that nobody has, another for each `attempt` of an owner. RESOURCE_EXHAUSTED if none turns up. */
  take(owner: string, { holder = owner, attempt = 1 }: TakeOptions = {}): number {
    for (let i = 0; i < MAX_DRAWS; i++) {
      const fraction = this.#random.fraction(`vni of ${owner}`, attempt * MAX_DRAWS + i);
      const vni = FIRST_VNI + Math.floor(fraction * (MAX_VNI + 1 - FIRST_VNI));
      if (!this.#owners.has(vni) && !this.#avoided.has(vni)) {
        this.#owners.set(vni, { owner, holder });
        return vni;
      }
    }
    throw new NetloomError("RESOURCE_EXHAUSTED", `take a VNI: ${this.#owners.size} of this host are in use`);
  }

  /** Takes this very VNI. False if somebody else has it. */
  claim(vni: number, owner: string, holder = owner): boolean {
    const known = this.#owners.get(vni);
    if (known && known.owner !== owner) return false;
    this.#owners.set(vni, { owner, holder });
    return true;
  }

  /** Gives it back, if `holder` has claimed it last. */
  release(vni: number, holder: string): void {
    if (this.#owners.get(vni)?.holder === holder) this.#owners.delete(vni);
  }

  /** A stranger's device has it. */
  avoid(vni: number): void {
    this.#avoided.add(vni);
    const [oldest] = this.#avoided;
    if (this.#avoided.size > MAX_AVOIDED && oldest !== undefined) this.#avoided.delete(oldest);
  }
}
