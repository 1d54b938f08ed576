/** Conditions in the output of commands, with the keys of Kubernetes resources. */
import type { Condition } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";
import type { State } from "./state.ts";
import type { WireView } from "./wire-view.ts";

export interface ConditionView {
  readonly type: string;
  /** `True`, `False`, `Unknown`. */
  readonly status: string;
  readonly reason: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function conditionView({ type, status, reason, message, lastTransition }: Condition): ConditionView {
  return {
    type,
    status,
    reason,
    ...optional("message", message),
    ...optional("lastTransitionTime", isoTime(lastTransition)),
  };
}

/** States of a wire in which this host knows that no packet passes. */
const CUT: ReadonlySet<State> = new Set(["down", "waiting"]);

/** The conditions of a wire of a status: its objects are in the kernel. No check proves yet that packets pass, so `Reachable` is never true. */
export function wireConditions({ state, reason }: Pick<WireView, "state" | "reason">): ConditionView[] {
  const word = `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
  const message = optional("message", reason);
  return [
    { type: "Ready", status: state === "up" ? "True" : "False", reason: word, ...message },
    { type: "Programmed", status: "True", reason: "Programmed" },
    CUT.has(state)
      ? { type: "Reachable", status: "False", reason: word, ...message }
      : { type: "Reachable", status: "Unknown", reason: "NotProven" },
    state === "healing"
      ? { type: "Healing", status: "True", reason: "Lost", ...message }
      : { type: "Healing", status: "False", reason: word },
  ];
}
