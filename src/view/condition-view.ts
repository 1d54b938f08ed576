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

/** States in which a wire's kernel objects exist. */
const PROGRAMMED: ReadonlySet<State> = new Set(["up", "down", "unclaimed", "healing"]);

/** The conditions of a wire. No check proves yet that packets pass, so `Reachable` is never true. */
export function wireConditions({
  state,
  reason,
  upSince,
}: Pick<WireView, "state" | "reason" | "upSince">): ConditionView[] {
  const isUp = state === "up";
  const isProgrammed = PROGRAMMED.has(state);
  const word = `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
  const truth = (is: boolean): string => (is ? "True" : "False");
  const message = optional("message", reason);
  return [
    {
      type: "Ready",
      status: truth(isUp),
      reason: word,
      ...message,
      ...optional("lastTransitionTime", isUp ? upSince : undefined),
    },
    { type: "Programmed", status: truth(isProgrammed), reason: isProgrammed ? "Programmed" : word },
    isUp
      ? { type: "Reachable", status: "Unknown", reason: "NotProven" }
      : { type: "Reachable", status: "False", reason: isProgrammed ? "Lost" : "NotProgrammed", ...message },
    {
      type: "Healing",
      status: truth(state === "healing"),
      reason: word,
      ...(state === "healing" && message),
    },
  ];
}
