/** How the `wire` programs of devices are pinned: found again by namespace and index, also when the device is gone. */
import type { Program } from "../kernel/kernel.ts";
import type { Attachment } from "./bpf/datapath.ts";
import type { Identity } from "./netns.ts";
import type { Place } from "./place.ts";
import { type Job, refuse } from "./refuse.ts";

/** `4026534093-1234567`: inode of the namespace, index of the device. */
export function pinName(netns: Identity, linkIndex: number): string {
  return `${netns.slice(netns.lastIndexOf("/") + 1)}-${linkIndex}`;
}

/** What the datapath is told. `indexOf` finds the target. */
export function attachmentOf(
  job: Job,
  link: { readonly place: Place; readonly index: number },
  program: Program,
  indexOf: (name: string) => number | undefined,
): Attachment {
  const { target, verdict } = program;
  if ((target === undefined) !== (verdict === "pass"))
    throw refuse(job, "EINVAL", `${verdict} ${target === undefined ? "needs a" : "has no"} target`);
  const targetIfindex = target === undefined ? undefined : indexOf(target);
  return {
    ifindex: link.index,
    name: pinName(link.place.identity, link.index),
    verdict,
    ...(targetIfindex !== undefined && { targetIfindex }),
  };
}
