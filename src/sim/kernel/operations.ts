/** Performs one operation on the simulated machine. It takes effect at once and returns its undo. */
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import { isDevice } from "../../kernel/objects.ts";
import type { Actor, Undo } from "./links.ts";
import { Refused } from "./state.ts";
import { simKindOf } from "./objects.ts";

/** Performs the operation, or throws `Refused` and changes nothing. A removed link still has to be buried. */
export function perform(actor: Actor, operation: Operation): Undo {
  const { verb, object } = operation;
  if (verb === "add") return simKindOf(object).add(actor, object);
  if (verb === "change") return change(actor, object, operation.from);
  return remove(actor, object) ?? (() => {});
}

function remove(actor: Actor, object: KernelObject): Undo | undefined {
  // The object vanished with its namespace.
  if (!isDevice(object) && !actor.lookUp(object.netns)) return undefined;
  return simKindOf(object).remove(actor, object);
}

function change(actor: Actor, object: KernelObject, from: KernelObject): Undo {
  const kind = simKindOf(object);
  if (kind.change) return kind.change(actor, object, from);
  const undoRemoval = remove(actor, from);
  if (!undoRemoval) throw new Refused("ENOENT", `there is no such ${object.kind}`);
  try {
    const undoAddition = kind.add(actor, object);
    return () => {
      undoAddition();
      undoRemoval();
    };
  } catch (error) {
    undoRemoval();
    throw error;
  }
}
