/** Conditions in the output of commands, with the keys of Kubernetes resources. */
import type { Condition } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";

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
