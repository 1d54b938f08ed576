/** Errors of the forwarder: which wire, what, why, and what to do. */
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject } from "../kernel/kernel.ts";
import { endsOf, identityOf, isDevice, linkKeys, tunnelKey } from "./identity.ts";
import type { Observer } from "./observe.ts";
import { type ByOwner, groupByOwner, namespacesOf } from "./owner.ts";
import type { Plan } from "./plan.ts";

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
  const hint = error.hint ?? taken ?? hintFor(error.code);
  return new NetloomError(error.code, `${what}: ${error.message}`, {
    cause: error,
    ...(hint ? { hint } : {}),
  });
}

function hintFor(code: NetloomError["code"]): string | undefined {
  switch (code) {
    case "NOT_FOUND":
      return "the workload's namespace is gone, or part of it: start the workload again, or close the wire";
    case "ALREADY_EXISTS":
      return "choose another, or remove what has it; nothing was changed";
    case "ABORTED":
    case "UNAVAILABLE":
      return "the kernel worker died; ask again, it goes on from what is there";
    default:
      return undefined;
  }
}

/** Names the wire that has the name or the VNI of a planned device, or a planned route, and says what to do. */
async function whoHas(wanted: Plan, observer: Observer): Promise<string | undefined> {
  let groups: ByOwner;
  try {
    groups = groupByOwner(await observer.everything([...namespacesOf(wanted.objects)]));
  } catch (error) {
    // The first error is the one to report.
    if (error instanceof NetloomError) return undefined;
    throw error;
  }
  // Devices come first, and routes only where all devices could be made.
  for (const kinds of [isDevice, (object: KernelObject) => object.kind === "route"]) {
    const claims = new Map(wanted.objects.filter(kinds).flatMap(claimsOf));
    for (const [owner, objects] of groups) {
      if (owner === undefined || owner === wanted.owner) continue;
      for (const [claim] of objects.flatMap(claimsOf)) {
        const name = claims.get(claim);
        if (name)
          return `${name} belongs to wire ${owner}: choose another, or close that wire first: netloom delete wire/${owner}`;
      }
    }
  }
  return undefined;
}

/** What there can be only one of, and its name for people. An address may be on any number of devices. */
function claimsOf(object: KernelObject): (readonly [string, string])[] {
  if (object.kind === "route")
    return [[identityOf(object), `the route to ${object.destination} in ${object.netns}`]];
  if (!isDevice(object)) return [];
  const names = endsOf(object).map(
    (end, i) => [linkKeys(object)[i] ?? "", `the interface ${end.name} in ${end.netns}`] as const,
  );
  return object.kind === "vxlan" ? [...names, [tunnelKey(object), `VNI ${object.vni}`]] : names;
}
