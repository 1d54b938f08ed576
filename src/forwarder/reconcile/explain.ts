/** Errors of the forwarder: each names the owner, the attempt, the cause and the remedy. */
import { NetloomError } from "../../errors/errors.ts";
import { detailsOf, KernelError, type KernelObject, type Operation } from "../../kernel/kernel.ts";
import { claimsOf, identityOf, isAttached, isDevice, namespacesOf } from "../../kernel/objects.ts";
import type { Owners, Plan } from "../../kernel/plan.ts";
import type { Observer } from "./observe.ts";
import { type ByOwner, groupByOwner } from "./owner.ts";

/** The kernel refused one operation on the way to a plan. */
export class StepRefused extends KernelError {
  override readonly name: string = "StepRefused";
  readonly step: Operation;

  constructor(step: Operation, cause: KernelError) {
    // The number of the operation is that of one batch.
    super(cause.code, cause.message, { ...detailsOf(cause), operation: undefined, cause });
    this.step = step;
  }
}

/** Finds the refused operation among an error and its causes. `undefined` if the kernel has refused none. */
export function refusedStep(error: unknown): StepRefused | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if (each instanceof StepRefused) return each;
  return undefined;
}

/** The error for a request that is refused before anything is done, with all its problems. */
export function refuse(what: string, problems: readonly string[]): NetloomError {
  return new NetloomError("INVALID_ARGUMENT", `${what}: ${problems.join(" ")}`, {
    hint: "correct the request; nothing was changed",
  });
}

/** The plan that failed, with the means to find out who stands in its way. */
interface Wanted {
  readonly plan: Plan;
  readonly observer: Observer;
  readonly owners: Owners;
}

/** Returns `error` with the attempt in front and a hint; any error other than a `NetloomError` unchanged. */
export async function explain(what: string, error: unknown, wanted?: Wanted): Promise<unknown> {
  if (!(error instanceof NetloomError)) return error;
  const taken = error.code === "ALREADY_EXISTS" && wanted ? await whoHas(wanted, error) : undefined;
  const hint = error.hint ?? taken ?? HINTS[error.code];
  return new NetloomError(error.code, `${what}: ${error.message}`, { cause: error, hint });
}

const WORKER_DIED = "the kernel worker died; ask again, it goes on from what is there";
const HINTS: Readonly<Partial<Record<NetloomError["code"], string>>> = {
  NOT_FOUND: "the workload's namespace is gone, or part of it: start the workload again, or close the wire",
  ALREADY_EXISTS: "choose another, or remove what has it; nothing was changed",
  ABORTED: WORKER_DIED,
  UNAVAILABLE: WORKER_DIED,
};

/**
 * Names the owner of something that the plan needs, such as a name, a VNI or a route, and the remedy. `undefined` if no owner is
 * found.
 */
async function whoHas(
  { plan, observer, owners }: Wanted,
  refusal: NetloomError,
): Promise<string | undefined> {
  let groups: ByOwner;
  try {
    const namespaces = new Set(plan.objects.flatMap(namespacesOf));
    groups = groupByOwner(await observer.everything([...namespaces]), owners);
  } catch (error) {
    // The first error is the one to report.
    if (error instanceof NetloomError) return undefined;
    throw error;
  }
  const refused = refusal instanceof StepRefused ? identityOf(refusal.step.object) : undefined;
  const isNamed = (object: KernelObject): boolean => identityOf(object) === refused;
  // First the refused object; else devices; objects on them only if all devices could be made.
  for (const isMeant of [isNamed, isDevice, isAttached]) {
    const claims = new Map(plan.objects.filter(isMeant).flatMap(exclusive));
    for (const [owner, objects] of groups.owned) {
      if (owner === plan.owner) continue;
      for (const [claim] of objects.flatMap(exclusive)) {
        const name = claims.get(claim);
        if (name)
          return `${name} belongs to ${owners.nameOf(owner)}: choose another, or ${owners.makeWay(owner)}`;
      }
    }
  }
  return undefined;
}

/** The claims that the kernel grants only once, each with its name for people. */
function exclusive(object: KernelObject): (readonly [string, string])[] {
  return claimsOf(object).flatMap(({ key, words, mayRepeat }) => (mayRepeat ? [] : [[key, words] as const]));
}
