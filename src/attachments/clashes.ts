/** Finds attachments that are valid alone but clash: two devices of one workload cannot have one name. */
import { quote } from "../text/problem.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Found, WorkloadRef } from "../resolvers/resolver.ts";
import { identityKey, leadsTo, workloadKey, workloadText } from "../resolvers/workload-ref.ts";
import { refText, type Spec } from "./spec.ts";

/** A spec that names the device in its workload. */
type Taking = Spec & Required<Pick<Spec, "workload" | "interface">>;

export interface InterfaceClash {
  /** Index of the spec in the list. */
  readonly index: number;
  /** A sentence without its full stop. */
  readonly problem: string;
}

/** The clashes among `specs`. `keyOf` returns equal keys for equal workloads. Default: equal spelling. */
export function clashesOf(
  specs: readonly Spec[],
  keyOf: (workload: WorkloadRef) => string = workloadKey,
): InterfaceClash[] {
  const owners = new Map<string, Taking>();
  return specs.flatMap((spec, index): InterfaceClash[] => {
    if (!isTaking(spec)) return [];
    const key = `${keyOf(spec.workload)} ${spec.interface}`;
    const owner = owners.get(key);
    if (owner) return [{ index, problem: describe(owner, spec) }];
    owners.set(key, spec);
    return [];
  });
}

/** The workloads whose specs clash if two different spellings mean one namespace. */
export function perhapsTheSame(specs: readonly Spec[]): WorkloadRef[] {
  const byInterface = new Map<string, Map<string, WorkloadRef>>();
  for (const spec of specs) {
    if (!isTaking(spec)) continue;
    const workloads = byInterface.get(spec.interface) ?? new Map<string, WorkloadRef>();
    byInterface.set(spec.interface, workloads.set(workloadKey(spec.workload), spec.workload));
  }
  return [...byInterface.values()].flatMap((workloads) =>
    workloads.size > 1 ? [...workloads.values()] : [],
  );
}

/**
 * The interfaces of existing workloads. Two workloads of different names may turn out to be one namespace when it
 * appears: then the interface belongs to the spec that took it first.
 */
export class Interfaces {
  readonly #owners = new Map<string, Taking>();

  /** Takes the spec's interface in the workload. ALREADY_EXISTS if another spec has it. The returned function gives it back. */
  take(found: Found, spec: Spec): () => void {
    if (!isTaking(spec)) return () => undefined;
    const key = `${identityKey(found)} ${spec.interface}`;
    const owner = this.#owners.get(key);
    if (owner && refText(owner) !== refText(spec))
      throw new NetloomError("ALREADY_EXISTS", `work on ${refText(spec)}: ${describe(owner, spec)}`, {
        reason: reason("INTERFACE_TAKEN", { interface: spec.interface }),
      });
    this.#owners.set(key, spec);
    return () => {
      if (this.#owners.get(key) === spec) this.#owners.delete(key);
    };
  }
}

function isTaking(spec: Spec): spec is Taking {
  return spec.workload !== undefined && spec.interface !== undefined;
}

function describe(owner: Taking, spec: Taking): string {
  if (leadsTo(spec.workload) === "port")
    return `${refText(owner)} has the ${workloadText(spec.workload)}, which is the end of one wire; give one of them another`;
  const spellings =
    workloadKey(owner.workload) === workloadKey(spec.workload)
      ? ""
      : `: ${workloadText(owner.workload)} and ${workloadText(spec.workload)} are one network namespace`;
  const name = quote(spec.interface);
  return `${refText(owner)} has the interface ${name} of the same workload${spellings}; give one of them another`;
}
