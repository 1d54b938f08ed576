/** A look at one whole namespace: one question to the kernel, however many plans have something there. */
import { hasCode } from "../../errors/errors.ts";
import type { Kernel, KernelObject, Netns } from "../../kernel/kernel.ts";
import { contentOf, endsOf, isDevice, isMarked } from "../../kernel/objects.ts";
import { stableText } from "../../kernel/stable-text.ts";
import type { Planned } from "./planned.ts";

/** So many plans are compared in one go. */
const OWNERS_PER_GO = 200;

/**
 * Owners of plans that were made and of which something is missing in `netns`, or there otherwise, or of whose devices one has a
 * name that it should not have. A namespace that is gone has none. `pause` lets others run now and then.
 */
export async function survey(
  kernel: Pick<Kernel, "observe">,
  planned: Planned,
  netns: Netns,
  pause: () => Promise<void>,
): Promise<string[]> {
  let found: readonly KernelObject[];
  try {
    found = await kernel.observe([{ netns }]);
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return [];
    throw error;
  }
  const there = new Set<string>();
  const drifted = new Set<string>();
  for (const [i, object] of found.entries()) {
    if (i % (10 * OWNERS_PER_GO) === 0) await pause();
    for (const trace of tracesOf(object, netns)) there.add(trace);
    for (const { alias, name } of isDevice(object)
      ? endsOf(object).filter((end) => end.netns === netns)
      : []) {
      const owner = planned.ownerOf(alias);
      if (owner !== undefined && !planned.wantsName(owner, name)) drifted.add(owner);
    }
  }
  let gone = 0;
  for (const [owner, objects] of planned.in(netns)) {
    if (gone++ % OWNERS_PER_GO === 0) await pause();
    if (!objects.every((object) => tracesOf(object, netns).every((trace) => there.has(trace))))
      drifted.add(owner);
  }
  return [...drifted];
}

/** What one namespace can show of an object. */
function tracesOf(object: KernelObject, netns: Netns): string[] {
  if (!isMarked(object)) return [];
  if (!isDevice(object)) return object.netns === netns ? [contentOf(object)] : [];
  const ends = endsOf(object);
  if (ends.length === 1) return ends[0]?.netns === netns ? [contentOf(object)] : [];
  return ends.filter((end) => end.netns === netns).map((end) => `${object.kind} ${stableText(end)}`);
}
