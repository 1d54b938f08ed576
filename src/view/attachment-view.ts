import {
  type AttachmentStatus,
  AttachmentStatus_State,
  type ErrorReason,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { type ConditionView, conditionView } from "./condition-view.ts";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";
import type { State } from "./state.ts";

/** A reason of docs/reference/errors.md with its fields. */
export interface ReasonView {
  /** `NO_CANDIDATE` */
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface AttachmentView {
  readonly host: string;
  readonly kind: string;
  readonly name: string;
  readonly state: State;
  readonly since?: string;
  /** The workload's name on `host`: `web`. */
  readonly workload?: string;
  readonly services: readonly string[];
  /** Id of the wire, if the attachment requests one. */
  readonly wireId?: string;
  /** Name of the endpoint in the registry, if the attachment offers services. */
  readonly endpoint?: string;
  readonly wires: number;
  /** The reason why the attachment is not up. */
  readonly reason?: string;
  readonly hint?: string;
  readonly topic?: string;
  /** The reason of the failure as data. */
  readonly cause?: ReasonView;
  readonly attempts: number;
  readonly nextTry?: string;
  /** The number of changes of the document, the first one included. */
  readonly generation: number;
  /** The generation to which the state and the conditions belong. */
  readonly observedGeneration: number;
  readonly conditions: readonly ConditionView[];
}

const states: Readonly<Record<AttachmentStatus_State, State>> = {
  [AttachmentStatus_State.WAITING]: "waiting",
  [AttachmentStatus_State.REQUESTING]: "requesting",
  [AttachmentStatus_State.UP]: "up",
  [AttachmentStatus_State.HEALING]: "healing",
  [AttachmentStatus_State.FAILED]: "failed",
  [AttachmentStatus_State.CLOSING]: "closing",
};

/** The view of an attachment in the status of `host`. */
export function attachmentView(host: string, attachment: AttachmentStatus): AttachmentView {
  const { ref, state, since, workload, services, wireId, endpoint, wires } = attachment;
  const isFine = state === AttachmentStatus_State.UP;
  return {
    host,
    kind: ref?.kind ?? "",
    name: ref?.name ?? "",
    state: states[state] ?? "waiting",
    ...optional("since", isoTime(since)),
    ...optional("workload", workload),
    services: [...services],
    ...optional("wireId", wireId),
    ...optional("endpoint", endpoint),
    wires,
    ...optional("reason", attachment.reason),
    ...optional("hint", attachment.hint),
    ...optional("topic", isFine ? undefined : attachment.topic),
    ...optional("cause", isFine || !attachment.cause ? undefined : reasonView(attachment.cause)),
    attempts: attachment.attempts,
    ...optional("nextTry", isoTime(attachment.nextTry)),
    generation: Number(attachment.generation),
    observedGeneration: Number(attachment.observedGeneration),
    conditions: attachment.conditions.map(conditionView),
  };
}

export function reasonView({ name, fields }: ErrorReason): ReasonView {
  return { name, fields: { ...fields } };
}
