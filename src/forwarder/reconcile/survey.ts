/** Checks one namespace for all plans with objects there: with one kernel query, or with one for each batch of plans. */
import { hasCode } from "../../errors/errors.ts";
import type { Kernel, KernelObject, Netns, ObserveQuery } from "../../kernel/kernel.ts";
import { carrierOf, contentOf, endsOf, isDevice, isMarked, linksOf } from "../../kernel/objects.ts";
import { stableText } from "../../kernel/stable-text.ts";
import type { Planned } from "./planned.ts";

/** Plans checked with one query. More plans are checked in batches, so that the kernel's thread is not busy for long. */
const OWNERS_AT_ONCE = 50;

/**
 * The owners of made plans with objects that are missing or different in `netns`. If few plans have objects there, the whole
 * namespace is observed: also objects on no device, and devices with a wrong name. Empty for a namespace that is gone. `pause`
 * lets other work run between batches.
 */
export async function survey(
  kernel: Pick<Kernel, "observe">,
  planned: Planned,
  netns: Netns,
  pause: () => Promise<void>,
): Promise<string[]> {
  const all = [...planned.in(netns)];
  const isWhole = all.length <= OWNERS_AT_ONCE;
  const drifted = new Set<string>();
  for (let i = 0; i < all.length; i += OWNERS_AT_ONCE) {
    if (i > 0) await pause();
    const wanted = all.slice(i, i + OWNERS_AT_ONCE);
    const links = wanted.flatMap(([, objects]) => objects.flatMap((object) => namesIn(object, netns)));
    const found = await look(kernel, { netns, ...(!isWhole && { links }), nearEndsOnly: true });
    if (!found) return [];
    const there = new Set(found.flatMap((object) => tracesOf(object, netns)));
    const isThere = (object: KernelObject): boolean =>
      (!isWhole && linksOf(object).length === 0) ||
      tracesOf(object, netns).every((trace) => there.has(trace));
    for (const [owner, objects] of wanted) if (!objects.every(isThere)) drifted.add(owner);
    for (const owner of strayed(found, planned, netns)) drifted.add(owner);
  }
  return [...drifted];
}

async function look(
  kernel: Pick<Kernel, "observe">,
  query: ObserveQuery,
): Promise<readonly KernelObject[] | undefined> {
  try {
    return await kernel.observe([query]);
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Owners of devices with a name that none of their devices should have. */
function strayed(found: readonly KernelObject[], planned: Planned, netns: Netns): string[] {
  const ends = found.filter(isDevice).flatMap(endsOf);
  return ends.flatMap((end) => {
    const owner = end.netns === netns ? planned.ownerOf(end.alias) : undefined;
    return owner !== undefined && !planned.wantsName(owner, end.name) ? [owner] : [];
  });
}

/** Names of the devices in a namespace that the object is, or hangs on. */
function namesIn(object: KernelObject, netns: Netns): string[] {
  if (isDevice(object)) return endsOf(object).flatMap((end) => (end.netns === netns ? [end.name] : []));
  const carrier = carrierOf(object);
  return carrier?.netns === netns ? [carrier.link] : [];
}

/** The parts of an object that one namespace shows, as texts to compare. */
function tracesOf(object: KernelObject, netns: Netns): string[] {
  if (!isMarked(object)) return [];
  if (!isDevice(object)) return object.netns === netns ? [contentOf(object)] : [];
  const ends = endsOf(object);
  if (ends.length === 1) return ends[0]?.netns === netns ? [contentOf(object)] : [];
  return ends.filter((end) => end.netns === netns).map((end) => `${object.kind} ${stableText(end)}`);
}
