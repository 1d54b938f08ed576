/** The conditions of a wire. */
import type { ConditionView } from "./condition-view.ts";
import { optional } from "./optional.ts";
import type { State } from "./state.ts";
import type { WireView } from "./wire-view.ts";

/** States of a wire in which this host knows that no packet passes. */
const CUT: ReadonlySet<State> = new Set(["down", "waiting"]);

/** The conditions of a wire of a status: its objects are in the kernel. */
export function wireConditions({
  state,
  reason,
  reachable,
}: Pick<WireView, "state" | "reason" | "reachable">): ConditionView[] {
  const word = `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
  const message = optional("message", reason);
  return [
    { type: "Ready", status: state === "up" ? "True" : "False", reason: word, ...message },
    { type: "Programmed", status: "True", reason: "Programmed" },
    CUT.has(state)
      ? { type: "Reachable", status: "False", reason: word, ...message }
      : (reachable ?? { type: "Reachable", status: "Unknown", reason: "NotProven" }),
    state === "healing"
      ? { type: "Healing", status: "True", reason: "Lost", ...message }
      : { type: "Healing", status: "False", reason: word },
  ];
}
