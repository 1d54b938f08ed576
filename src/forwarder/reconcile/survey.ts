/** A look at one namespace for all plans that have something there: one question to the kernel, or one for many plans. */
import { hasCode } from "../../errors/errors.ts";
import type { Kernel, KernelObject, Netns, ObserveQuery } from "../../kernel/kernel.ts";
import { carrierOf, contentOf, endsOf, isDevice, isMarked, linksOf } from "../../kernel/objects.ts";
import { stableText } from "../../kernel/stable-text.ts";
import type { Planned } from "./planned.ts";

/** Where more plans have something, their devices are looked at by and by: the kernel's thread is not to be busy for long. */
const OWNERS_AT_ONCE = 50;

/**
 * Owners of plans that were made and of which something is missing in `netns`, or there otherwise. Where few have something there,
 * all of it is looked at: also what hangs on no device, and devices with a name that they should not have. A namespace that is gone
 * has none. `pause` lets others run.
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

/** Owners of devices with a name that none of theirs has. */
function strayed(found: readonly KernelObject[], planned: Planned, netns: Netns): string[] {
  const ends = found.filter(isDevice).flatMap(endsOf);
  return ends.flatMap((end) => {
    const owner = end.netns === netns ? planned.ownerOf(end.alias) : undefined;
    return owner !== undefined && !planned.wantsName(owner, end.name) ? [owner] : [];
  });
}

/** The devices that it is, or hangs on, in a namespace. */
function namesIn(object: KernelObject, netns: Netns): string[] {
  if (isDevice(object)) return endsOf(object).flatMap((end) => (end.netns === netns ? [end.name] : []));
  const carrier = carrierOf(object);
  return carrier?.netns === netns ? [carrier.link] : [];
}

/** What one namespace can show of an object. */
function tracesOf(object: KernelObject, netns: Netns): string[] {
  if (!isMarked(object)) return [];
  if (!isDevice(object)) return object.netns === netns ? [contentOf(object)] : [];
  const ends = endsOf(object);
  if (ends.length === 1) return ends[0]?.netns === netns ? [contentOf(object)] : [];
  return ends.filter((end) => end.netns === netns).map((end) => `${object.kind} ${stableText(end)}`);
}
