/** Finds attachments that are valid alone but clash: two devices of one workload cannot have one name. */
import { quote } from "../text/problem.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Found, WorkloadRef } from "../resolvers/resolver.ts";
import { identityKey, leadsTo, workloadKey, workloadText } from "../resolvers/workload-ref.ts";
import { refText, type Wish } from "./wish.ts";

/** A wish that names the device in its workload. */
type Taking = Wish & Required<Pick<Wish, "workload" | "interface">>;

export interface InterfaceClash {
  /** Index of the wish in the list. */
  readonly index: number;
  /** A sentence without its full stop. */
  readonly problem: string;
}

/** The clashes among `wishes`. `keyOf` returns equal keys for equal workloads. Default: equal spelling. */
export function clashesOf(
  wishes: readonly Wish[],
  keyOf: (workload: WorkloadRef) => string = workloadKey,
): InterfaceClash[] {
  const owners = new Map<string, Taking>();
  return wishes.flatMap((wish, index): InterfaceClash[] => {
    if (!isTaking(wish)) return [];
    const key = `${keyOf(wish.workload)} ${wish.interface}`;
    const owner = owners.get(key);
    if (owner) return [{ index, problem: describe(owner, wish) }];
    owners.set(key, wish);
    return [];
  });
}

/** The workloads whose wishes clash if two different spellings mean one namespace. */
export function perhapsTheSame(wishes: readonly Wish[]): WorkloadRef[] {
  const byInterface = new Map<string, Map<string, WorkloadRef>>();
  for (const wish of wishes) {
    if (!isTaking(wish)) continue;
    const workloads = byInterface.get(wish.interface) ?? new Map<string, WorkloadRef>();
    byInterface.set(wish.interface, workloads.set(workloadKey(wish.workload), wish.workload));
  }
  return [...byInterface.values()].flatMap((workloads) =>
    workloads.size > 1 ? [...workloads.values()] : [],
  );
}

/**
 * The interfaces of existing workloads. Two workloads of different names may turn out to be one namespace when it
 * appears: then the interface belongs to the wish that took it first.
 */
export class Interfaces {
  readonly #owners = new Map<string, Taking>();

  /** Takes the wish's interface in the workload. ALREADY_EXISTS if another wish has it. The returned function gives it back. */
  take(found: Found, wish: Wish): () => void {
    if (!isTaking(wish)) return () => undefined;
    const key = `${identityKey(found)} ${wish.interface}`;
    const owner = this.#owners.get(key);
    if (owner && refText(owner) !== refText(wish))
      throw new NetloomError("ALREADY_EXISTS", `work on ${refText(wish)}: ${describe(owner, wish)}`, {
        reason: reason("INTERFACE_TAKEN", { interface: wish.interface }),
      });
    this.#owners.set(key, wish);
    return () => {
      if (this.#owners.get(key) === wish) this.#owners.delete(key);
    };
  }
}

function isTaking(wish: Wish): wish is Taking {
  return wish.workload !== undefined && wish.interface !== undefined;
}

function describe(owner: Taking, wish: Taking): string {
  if (leadsTo(wish.workload) === "port")
    return `${refText(owner)} has the ${workloadText(wish.workload)}, which is the end of one wire; give one of them another`;
  const spellings =
    workloadKey(owner.workload) === workloadKey(wish.workload)
      ? ""
      : `: ${workloadText(owner.workload)} and ${workloadText(wish.workload)} are one network namespace`;
  const name = quote(wish.interface);
  return `${refText(owner)} has the interface ${name} of the same workload${spellings}; give one of them another`;
}
