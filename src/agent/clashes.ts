/** Attachments that cannot be side by side, though each is right: two devices of one workload cannot have one name. */
import { quote } from "../text/problem.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Found, WorkloadRef } from "../resolvers/resolver.ts";
import { identityKey, workloadKey, workloadText } from "../resolvers/workload-ref.ts";
import { refText } from "./attachment.ts";
import type { ConnectWish, Wish } from "./wish.ts";

export interface Clash {
  /** Which of the wishes it is. */
  readonly index: number;
  /** A sentence without its full stop. */
  readonly problem: string;
}

/** `keyOf` is equal for equal workloads, as far as that is known. Default: for those that are written alike. */
export function clashesOf(
  wishes: readonly Wish[],
  keyOf: (workload: WorkloadRef) => string = workloadKey,
): Clash[] {
  const owners = new Map<string, ConnectWish>();
  return wishes.flatMap((wish, index): Clash[] => {
    if (wish.kind !== "Connect" || wish.interface === undefined) return [];
    const key = `${keyOf(wish.workload)} ${wish.interface}`;
    const owner = owners.get(key);
    if (owner) return [{ index, problem: describe(owner, wish) }];
    owners.set(key, wish);
    return [];
  });
}

/** Workloads of Connects that would clash with another one if both were one namespace, which is written in two ways. */
export function perhapsTheSame(wishes: readonly Wish[]): WorkloadRef[] {
  const byInterface = new Map<string, Map<string, WorkloadRef>>();
  for (const wish of wishes) {
    if (wish.kind !== "Connect" || wish.interface === undefined) continue;
    const workloads = byInterface.get(wish.interface) ?? new Map<string, WorkloadRef>();
    byInterface.set(wish.interface, workloads.set(workloadKey(wish.workload), wish.workload));
  }
  return [...byInterface.values()].flatMap((workloads) =>
    workloads.size > 1 ? [...workloads.values()] : [],
  );
}

/**
 * The interfaces of workloads that are there. What two documents call differently may turn out to be one namespace when
 * it comes: then the interface is that of the Connect that has taken it first.
 */
export class Interfaces {
  readonly #owners = new Map<string, ConnectWish>();

  /** ALREADY_EXISTS if another one has it. The result gives it back. */
  take(found: Found, wish: ConnectWish): () => void {
    if (wish.interface === undefined) return () => undefined;
    const key = `${identityKey(found)} ${wish.interface}`;
    const owner = this.#owners.get(key);
    if (owner && owner.name !== wish.name)
      throw new NetloomError("ALREADY_EXISTS", `connect ${wish.name}: ${describe(owner, wish)}`);
    this.#owners.set(key, wish);
    return () => {
      if (this.#owners.get(key) === wish) this.#owners.delete(key);
    };
  }
}

function describe(owner: ConnectWish, wish: ConnectWish): string {
  const spellings =
    workloadKey(owner.workload) === workloadKey(wish.workload)
      ? ""
      : `: ${workloadText(owner.workload)} and ${workloadText(wish.workload)} are one network namespace`;
  const name = quote(wish.interface ?? "");
  return `${refText(owner)} has the interface ${name} of the same workload${spellings}; give one of them another`;
}
