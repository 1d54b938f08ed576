import type {
  AttachmentStatus,
  ErrorReason,
  Judgement,
  Selection,
  WhyResponse,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { attachmentView, type ReasonView, reasonView } from "../../view/attachment-view.ts";
import { pathView } from "../../view/told-wire.ts";
import { isoTime } from "../../view/iso-time.ts";

export type WhyDocument = ReturnType<typeof whyDocument>;

/** The shape of `netloom why -o json`. */
export function whyDocument({
  service,
  payload,
  labels,
  judgements,
  candidates,
  problem,
  cause,
  last,
  attachment,
  path,
}: WhyResponse) {
  return {
    service,
    payload,
    labels,
    judgements: judgements.map(judgementDocument),
    candidates: candidates.map(({ endpoint, host, url, weight, labels }) => ({
      endpoint,
      host,
      url,
      weight,
      labels,
    })),
    ...(problem !== "" && { problem }),
    ...causeOf(cause),
    ...(last && { last: lastDocument(last) }),
    ...(path && pathView(path)),
    ...(attachment && { attachment: attachmentDocument(attachment) }),
  };
}

function judgementDocument({ match, route, endpoint, taken, reason }: Judgement) {
  return {
    ...(match !== undefined && { match }),
    ...(route !== undefined && { route }),
    ...(endpoint !== "" && { endpoint }),
    taken,
    reason,
  };
}

/** The same keys as in `netloom status -o json`. */
function attachmentDocument(attachment: AttachmentStatus) {
  const { kind, name, state, reason, hint, topic, cause, attempts } = attachmentView("", attachment);
  return {
    kind,
    name,
    state,
    ...(reason !== undefined && { reason }),
    ...(hint !== undefined && { hint }),
    ...(topic !== undefined && { topic }),
    ...(cause && { cause }),
    attempts,
  };
}

function lastDocument({ at, wireId, taken, asking, problem, failed, judgements }: Selection) {
  return {
    at: isoTime(at) ?? "",
    wireId,
    taken,
    ...(asking !== "" && { asking }),
    ...(problem !== "" && { problem }),
    failed: failed.map(({ endpoint, reason, code, cause }) => ({
      endpoint,
      reason,
      ...(code !== "" && { code }),
      ...causeOf(cause),
    })),
    judgements: judgements.map(judgementDocument),
  };
}

function causeOf(cause: ErrorReason | undefined): { readonly cause?: ReasonView } {
  return cause ? { cause: reasonView(cause) } : {};
}
