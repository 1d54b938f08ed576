/** How the `wire` programs of devices are pinned: found again by namespace and index, also when the device is gone. */
import type { Program } from "../world/kernel.ts";
import { refusal } from "../world/kernel-text.ts";
import type { Attachment } from "./bpf/datapath.ts";
import type { Identity } from "./netns.ts";
import type { Place } from "./place.ts";

/** `4026534093-1234567`: inode of the namespace, index of the device. */
export function pinName(netns: Identity, linkIndex: number): string {
  return `${netns.slice(netns.lastIndexOf("/") + 1)}-${linkIndex}`;
}

/** What the datapath is told. `indexOf` finds the target. */
export function attachmentOf(
  place: Place,
  linkIndex: number,
  program: Program,
  indexOf: (name: string) => number | undefined,
): Attachment {
  const { target, verdict } = program;
  const targetIfindex = target === undefined ? undefined : indexOf(target);
  if ((target === undefined) !== (verdict === "pass"))
    throw refusal(
      { verb: "add", object: program },
      "EINVAL",
      `${verdict} ${target === undefined ? "needs a" : "has no"} target`,
    );
  return {
    ifindex: linkIndex,
    name: pinName(place.identity, linkIndex),
    verdict,
    ...(targetIfindex !== undefined && { targetIfindex }),
  };
}
