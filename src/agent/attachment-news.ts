/** Reports changes of attachments: in the log, for the operator of the host, and in the journal, for later questions. */
import type { AttachmentState } from "../attachments/attachment-state.ts";
import { type Condition, conditionOf } from "../attachments/conditions.ts";
import type { ProgressView } from "../attachments/progress.ts";
import { type Ref, refOf, refText, type Spec } from "../attachments/spec.ts";
import type { World } from "../world/world.ts";
import { Journal } from "./journal.ts";

export class AttachmentNews {
  readonly journal: Journal;
  readonly #log: World["log"];

  constructor({ clock, log }: Pick<World, "clock" | "log">) {
    this.journal = new Journal(clock);
    this.#log = log;
  }

  /** Reports added and changed documents. `differences` are the paths of changed values. */
  applied(
    changes: readonly {
      readonly ref: Ref;
      readonly change: "unchanged" | "added" | "changed";
      readonly differences: readonly string[];
    }[],
  ): void {
    for (const { ref, change, differences } of changes)
      if (change !== "unchanged")
        this.#write(ref, change === "added" ? "Added" : "Changed", differences.join(", "));
  }

  deleted(refs: readonly Ref[]): void {
    for (const ref of refs) this.#write(ref, "Deleted", "");
  }

  /** Reports a new state, or a new reason, of an attachment. */
  turned(spec: Spec, { state, reason, error, attempts }: ProgressView): void {
    const fields = { attachment: refText(spec), reason: reason || undefined, hint: error?.hint };
    if (state === "failed" && attempts === 1) this.#log.warn("an attachment does not work yet", fields);
    else if (state === "failed") this.#log.debug("an attachment does not work yet", { ...fields, attempts });
    else if (state === "healing" && attempts <= 1) this.#log.warn("a wire heals", fields);
    else if (state === "healing") this.#log.debug("a wire still heals", { ...fields, attempts });
    else if (state === "up") this.#log.info("an attachment is up", fields);
    else this.#log.debug(`an attachment is ${state}`, fields);
    // Later tries would add an event each.
    if (state !== "requesting" || attempts <= 1) this.#write(refOf(spec), wordOf(state), reason, state);
  }

  /** Reports a change of the reachability of an attachment in the same state. */
  proved(spec: Spec, before: ProgressView, { conditions }: ProgressView): void {
    const [was, is] = [before.conditions, conditions].map((each) => conditionOf(each, "Reachable"));
    if (!is || was?.status === is.status) return;
    const { status, message } = is;
    this.#log.info(PROVED[status], { attachment: refText(spec), reason: message || undefined });
    const reason = status === "False" ? "Unreachable" : status === "True" ? "Reachable" : is.reason;
    this.journal.write({ ref: refOf(spec), isWarning: status === "False", reason, message });
  }

  bug(spec: Spec, error: unknown): void {
    this.#log.error("bug in an attachment", { attachment: refText(spec) }, error);
  }

  #write(ref: Ref, reason: string, message: string, state?: AttachmentState): void {
    this.journal.write({ ref, isWarning: state === "failed" || state === "healing", reason, message });
  }
}

const PROVED: Readonly<Record<Condition["status"], string>> = {
  True: "packets pass a wire again",
  False: "no packet passes a wire",
  Unknown: "it is not known whether packets pass a wire",
};

/** The event's reason: `Up`, `Failed`. */
function wordOf(state: AttachmentState): string {
  return `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
}
