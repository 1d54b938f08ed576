/** A kind of object that is a single netlink message. */
import type { Netns } from "../../kernel/kernel.ts";
import { type AttachedObject, attractionsOf, carrierOf } from "../../kernel/objects.ts";
import type { Link } from "../netlink/link-decode.ts";
import type { BatchTools, LinuxObjectKind, Target } from "../object-kind.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import type { Job } from "./refuse.ts";
import { ABSENT, type BatchStep } from "./transaction.ts";

interface Plain<T> extends Pick<LinuxObjectKind<T>, "observe" | "explain" | "restore"> {
  readonly addRequest: (object: T, target: Target) => Uint8Array;
  readonly removeRequest: (object: T, target: Target) => Uint8Array;
  /** Absent: the kernel cannot replace the object in one step. */
  readonly replaceRequest?: (object: T, target: Target) => Uint8Array;
  /** A repair for an existing object that is only damaged; `undefined` if more than the damage has changed. */
  readonly mend?: (object: T, from: T, target: Target) => Mending | undefined;
  /** Runs before the message of any verb. */
  readonly before?: (tools: BatchTools, job: Job, at: At<T>) => Promise<void>;
  /** Further properties of the step that adds the object. */
  readonly adding?: (tools: BatchTools, at: At<T>) => Pick<BatchStep, "instead">;
}

interface Mending {
  readonly request: Uint8Array;
  readonly undo: Uint8Array;
}

/** An object with its place, its link and its target. */
interface At<T> {
  readonly object: T;
  readonly place: NetnsPlace;
  /** `undefined` for an object without a device. */
  readonly link: Link | undefined;
  readonly target: Target;
}

export function plainObject<T extends AttachedObject>(plain: Plain<T>): LinuxObjectKind<T> {
  const { addRequest, removeRequest, replaceRequest } = plain;
  const add = (tools: BatchTools, { number }: Job, at: At<T>): void =>
    tools.transaction.enqueue(at.place, {
      operation: number,
      request: addRequest(at.object, at.target),
      undo: removeRequest(at.object, at.target),
      ...plain.adding?.(tools, at),
    });
  return {
    observe: plain.observe,
    ...(plain.explain && { explain: plain.explain }),
    ...(plain.restore && { restore: plain.restore }),
    async add(tools, job, object) {
      const at = atOf(tools, job, object);
      if (!at) return;
      await plain.before?.(tools, job, at);
      add(tools, job, at);
    },
    async change(tools, job, object, from) {
      const at = atOf(tools, job, object);
      if (!at) return;
      await plain.before?.(tools, job, at);
      const { place, target } = at;
      const operation = job.number;
      const mending = plain.mend?.(object, from, target);
      if (mending) {
        // The kernel may already have repaired it by itself.
        return tools.transaction.enqueue(place, { operation, ...mending, absent: ["EEXIST"] });
      }
      if (replaceRequest) {
        const [request, undo] = [replaceRequest(object, target), replaceRequest(from, target)];
        return tools.transaction.enqueue(place, { operation, request, undo });
      }
      const [request, undo] = [removeRequest(from, target), addRequest(from, target)];
      tools.transaction.enqueue(place, { operation, request, undo });
      add(tools, job, at);
    },
    async remove(tools, job, object) {
      const at = atOf(tools, job, object);
      if (!at) return;
      const { place, link, target } = at;
      if (link && tools.isStrangers(place, link)) return;
      if (link && tools.isLeaving(place, link.name)) return withdrawLater(tools, at, removeRequest);
      await plain.before?.(tools, job, at);
      tools.transaction.enqueue(place, {
        operation: job.number,
        request: removeRequest(object, target),
        undo: addRequest(object, target),
        absent: ABSENT,
      });
    },
  };
}

/** `undefined` if the namespace does not exist, or if a removal finds no device. */
function atOf<T extends AttachedObject & { readonly netns: Netns }>(
  tools: BatchTools,
  job: Job,
  object: T,
): At<T> | undefined {
  const place = tools.places.find(object.netns);
  if (!place) return undefined;
  const carrier = carrierOf(object);
  const link = carrier && tools.linkOf(job, place, carrier.link);
  if (carrier && !link) return undefined;
  const target = { linkIndex: link?.index ?? 0, protocol: tools.mark.protocol };
  return { object, place, link, target };
}

/**
 * Objects are removed with their device. Until the kernel has freed the device, its addresses and routes would attract
 * packets: a later batch in the namespace removes them first.
 */
function withdrawLater<T extends AttachedObject>(
  { transaction, reaper }: BatchTools,
  { object, place, target }: At<T>,
  removeRequest: Plain<T>["removeRequest"],
): void {
  if (attractionsOf(object).length === 0) return;
  const request = (): Uint8Array => removeRequest(object, target);
  transaction.onCommit(() => reaper.withdrawLater(place.identity, request));
}
