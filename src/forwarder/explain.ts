/** Errors of the forwarder: which wire, what, why, and what to do. */
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject } from "../kernel/kernel.ts";
import { claimsOf, isAttached, isDevice, namespacesOf } from "../kernel/objects.ts";
import type { Observer } from "./observe.ts";
import { type ByOwner, groupByOwner } from "./owner.ts";
import type { Plan } from "../kernel/plan.ts";

/** A wire that cannot be planned. */
export function refuse(what: string, problems: readonly string[]): NetloomError {
  return new NetloomError("INVALID_ARGUMENT", `${what}: ${problems.join(" ")}`, {
    hint: "correct the request; nothing was changed",
  });
}

/** `error` with the wire's name in front and a hint; anything but a `NetloomError` as it is. */
export async function explain(
  what: string,
  error: unknown,
  wanted?: Plan,
  observer?: Observer,
): Promise<unknown> {
  if (!(error instanceof NetloomError)) return error;
  const taken =
    error.code === "ALREADY_EXISTS" && wanted && observer ? await whoHas(wanted, observer) : undefined;
  const hint = error.hint ?? taken ?? HINTS[error.code];
  return new NetloomError(error.code, `${what}: ${error.message}`, {
    cause: error,
    ...(hint ? { hint } : {}),
  });
}

const WORKER_DIED = "the kernel worker died; ask again, it goes on from what is there";
const HINTS: Readonly<Partial<Record<NetloomError["code"], string>>> = {
  NOT_FOUND: "the workload's namespace is gone, or part of it: start the workload again, or close the wire",
  ALREADY_EXISTS: "choose another, or remove what has it; nothing was changed",
  ABORTED: WORKER_DIED,
  UNAVAILABLE: WORKER_DIED,
};

/** Names the wire that has what is planned, such as a name, a VNI or a route, and says what to do. */
async function whoHas(wanted: Plan, observer: Observer): Promise<string | undefined> {
  let groups: ByOwner;
  try {
    groups = groupByOwner(await observer.everything([...new Set(wanted.objects.flatMap(namespacesOf))]));
  } catch (error) {
    // The first error is the one to report.
    if (error instanceof NetloomError) return undefined;
    throw error;
  }
  // Devices come first, and what is on them only where all of them could be made.
  for (const kinds of [isDevice, isAttached]) {
    const claims = new Map(wanted.objects.filter(kinds).flatMap(exclusive));
    for (const [owner, objects] of groups) {
      if (owner === undefined || owner === wanted.owner) continue;
      for (const [claim] of objects.flatMap(exclusive)) {
        const name = claims.get(claim);
        if (name)
          return `${name} belongs to wire ${owner}: choose another, or close that wire first: netloom delete wire/${owner}`;
      }
    }
  }
  return undefined;
}

/** What the kernel holds once, and its name for people. */
function exclusive(object: KernelObject): (readonly [string, string])[] {
  return claimsOf(object).flatMap(({ key, words, mayRepeat }) => (mayRepeat ? [] : [[key, words] as const]));
}
