/** Gives renamed Netloom devices their names back, in place: all objects on them stay, also those of strangers. */
import {
  type Kernel,
  KernelError,
  type KernelObject,
  type LinkEnd,
  type Operation,
} from "../../kernel/kernel.ts";
import { type Device, endsOf, identityOf, isDevice, withEnds } from "../../kernel/objects.ts";

/**
 * Renames devices where it can, and returns the operations done. A device that the kernel refuses to rename has to be made again.
 */
export async function nameBack(
  kernel: Pick<Kernel, "apply">,
  wanted: readonly KernelObject[],
  found: readonly KernelObject[],
): Promise<Operation[]> {
  const done: Operation[] = [];
  const known = new Set(wanted.map(identityOf));
  const there = new Set(found.map(identityOf));
  const strays = found.filter(isDevice).filter((device) => !known.has(identityOf(device)));
  for (const device of wanted.filter(isDevice)) {
    if (there.has(identityOf(device))) continue;
    const operation = strays.map((stray) => renaming(device, stray)).find((each) => each !== undefined);
    if (operation && (await isDone(kernel, operation))) done.push(operation);
  }
  return done;
}

/**
 * The operation that gives `stray` the names of `device`. `undefined` unless only the names differ: each end in the same
 * namespace, with the same alias.
 */
function renaming(device: Device, stray: Device): Operation | undefined {
  if (stray.kind !== device.kind) return undefined;
  const [ends, left] = [endsOf(device), [...endsOf(stray)]];
  const from = ends.flatMap(({ netns, alias }): LinkEnd[] => {
    const i = left.findIndex((end) => end.netns === netns && end.alias === alias);
    return i < 0 ? [] : left.splice(i, 1);
  });
  if (from.length < ends.length) return undefined;
  const to = from.map((end, i) => ({ ...end, name: ends[i]?.name ?? end.name }));
  const object = withEnds(stray, to);
  if (identityOf(object) !== identityOf(device)) return undefined;
  return { verb: "change", object, from: withEnds(stray, from) };
}

async function isDone(kernel: Pick<Kernel, "apply">, operation: Operation): Promise<boolean> {
  try {
    await kernel.apply([operation]);
    return true;
  } catch (error) {
    // The name is taken by now, or the kernel does not rename a device that is up.
    if (error instanceof KernelError) return false;
    throw error;
  }
}
