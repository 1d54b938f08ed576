/**
 * The conditions of an attachment, as in Kubernetes resources: each is true, false or unknown, with a reason and a start time.
 *
 * | type | true while |
 * |---|---|
 * | `Ready` | the attachment is as its document wants it |
 * | `Programmed` | its wire is in the kernel of this host, or its service is registered |
 * | `Reachable` | packets are proven to pass (reachability.ts) |
 * | `Healing` | its wire was up, and is requested again |
 */
import type { AttachmentState } from "./attachment-state.ts";
import { NOT_PROVEN, type Reachability } from "./reachability.ts";

export interface Condition {
  readonly type: "Ready" | "Programmed" | "Reachable" | "Healing";
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase, for programs. */
  readonly reason: string;
  /** A sentence for people. May be empty. */
  readonly message: string;
  /** Time of the last change of the status, on `Clock.wallMs`. */
  readonly sinceMs: number;
}

/** The facts from which the conditions are computed. */
export interface ConditionFacts {
  readonly state: AttachmentState;
  /** A sentence, or an empty text. */
  readonly message: string;
  readonly isProgrammed: boolean;
  /** Default: nothing is proven. */
  readonly reachability?: Reachability;
  /** The reason why no packet can pass, if this host knows one. */
  readonly whyDown?: string | undefined;
  /** The name of the reason of a failure: `NO_FREE_ADDRESS`. */
  readonly cause?: string | undefined;
}

const READY_REASONS: Readonly<Record<AttachmentState, string>> = {
  waiting: "WaitingForWorkload",
  requesting: "Requesting",
  up: "Up",
  healing: "Healing",
  failed: "Failed",
  closing: "Closing",
};

/** The conditions after a change. A condition with the same status keeps its time. */
export function conditionsOf(
  facts: ConditionFacts,
  nowMs: number,
  before: readonly Condition[] = [],
): readonly Condition[] {
  return [ready(facts), programmed(facts), reachable(facts), healing(facts)].map((next) => {
    const same = before.find(({ type, status }) => type === next.type && status === next.status);
    return { ...next, sinceMs: same?.sinceMs ?? nowMs };
  });
}

/** The condition of a type. */
export function conditionOf(
  conditions: readonly Condition[],
  type: Condition["type"],
): Condition | undefined {
  return conditions.find((each) => each.type === type);
}

type Next = Omit<Condition, "sinceMs">;

function ready({ state, message, whyDown, cause }: ConditionFacts): Next {
  const isFailing = state === "failed" || state === "healing";
  const known = isFailing && cause !== undefined ? camelCase(cause) : READY_REASONS[state];
  const reason = whyDown === undefined ? known : "LinkDown";
  return { type: "Ready", status: state === "up" ? "True" : "False", reason, message };
}

/** `NoFreeAddress` for `NO_FREE_ADDRESS`. */
function camelCase(name: string): string {
  return name
    .split("_")
    .map((word) => `${word.charAt(0)}${word.slice(1).toLowerCase()}`)
    .join("");
}

function programmed({ state, isProgrammed }: ConditionFacts): Next {
  if (isProgrammed) return { type: "Programmed", status: "True", reason: "Programmed", message: "" };
  return { type: "Programmed", status: "False", reason: READY_REASONS[state], message: "" };
}

function reachable({ isProgrammed, whyDown, reachability = NOT_PROVEN }: ConditionFacts): Next {
  const type = "Reachable";
  if (whyDown !== undefined) return { type, status: "False", reason: "LinkDown", message: whyDown };
  if (!isProgrammed) return { type, status: "False", reason: "NotProgrammed", message: "" };
  return { type, ...reachability };
}

function healing({ state, message, whyDown }: ConditionFacts): Next {
  if (state === "healing") return { type: "Healing", status: "True", reason: "Lost", message };
  const reason = whyDown === undefined ? READY_REASONS[state] : "LinkDown";
  return { type: "Healing", status: "False", reason, message: "" };
}
