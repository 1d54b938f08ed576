/**
 * The data of an error on its way through gRPC, in the standard trailer:
 *
 * ```
 *   grpc-status-details-bin: google.rpc.Status { code, message, details: [
 *     google.rpc.ErrorInfo { domain: "netloom.dev", reason: "ENDPOINT_NOT_FOUND",
 *                            metadata: { endpoint: "db.beta", topic: "NL-303", hint: "…" } } ] }
 * ```
 *
 * An error without a reason has its code as `reason`. Source: https://google.aip.dev/193
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { type ErrorInfo, ErrorInfoSchema } from "../api/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../api/gen/google/rpc/status_pb.js";
import type { NetloomError, Topic } from "../errors/errors.ts";
import type { Reason } from "../errors/reasons.ts";

const TRAILER = "grpc-status-details-bin";
const DOMAIN = "netloom.dev";

/** Keys of `ErrorInfo.metadata` beside the reason's fields. No reason has fields with these names. */
const TOPIC = "topic";
const HINT = "hint";

/** Trailers of release 0.1.0: during an upgrade host by host, some hosts still send them. */
const FORMER = { hint: "netloom-hint-bin", topic: "netloom-topic" } as const;

/** Trailers are headers of HTTP/2, which some receivers limit to 8 KiB (grpc-java). */
const MAX_TEXT_LENGTH = 2_000;
const MAX_FIELD_LENGTH = 500;
const MAX_FIELDS = 16;
/** Base64 adds a third, and the text is sent a second time beside it. */
const MAX_BYTES = 4_096;

/** The pattern of AIP-193. */
const REASON_NAME = /^[A-Z][A-Z0-9_]{0,62}$/;
const FIELD_NAME = /^[a-zA-Z][\w-]{0,63}$/;
const TOPIC_TEXT = /^NL-\d{3}$/;

/** The data that a Netloom peer sends beside the code and the message of an error. */
export interface ToldDetails {
  readonly hint?: string;
  readonly topic?: Topic;
  readonly reason?: Reason;
}

/** The parts of an error in the trailer: the first level that fits is sent. */
const LEVELS = [
  { hasHint: true, hasFields: true, textLength: MAX_TEXT_LENGTH },
  { hasHint: false, hasFields: true, textLength: MAX_TEXT_LENGTH },
  { hasHint: false, hasFields: false, textLength: MAX_TEXT_LENGTH },
  { hasHint: false, hasFields: false, textLength: MAX_TEXT_LENGTH / 2 },
] as const;

/** Makes the trailer. Cuts long texts; of an error that is still too large it drops the hint, then the fields. */
export function writeDetails(error: NetloomError): Metadata {
  const metadata = new Metadata();
  for (const level of LEVELS) {
    const bytes = encode(error, level);
    metadata.set(TRAILER, Buffer.from(bytes));
    if (bytes.length <= MAX_BYTES) break;
  }
  return metadata;
}

function encode(
  { code, message, hint, topic, reason }: NetloomError,
  { hasHint, hasFields, textLength }: (typeof LEVELS)[number],
): Uint8Array {
  const fields = hasFields ? Object.entries(reason?.fields ?? {}).slice(0, MAX_FIELDS) : [];
  const info = create(ErrorInfoSchema, {
    domain: DOMAIN,
    reason: reason?.name ?? code,
    metadata: {
      ...Object.fromEntries(fields.map(([field, value]) => [field, shorten(value, MAX_FIELD_LENGTH)])),
      [TOPIC]: topic,
      ...(hasHint && hint !== undefined && { [HINT]: shorten(hint) }),
    },
  });
  const details = [anyPack(ErrorInfoSchema, info)];
  const said = { code: status[code], message: shorten(message, textLength), details };
  return toBinary(StatusSchema, create(StatusSchema, said));
}

/**
 * Reads the trailer. `undefined` if the error is not from a Netloom peer. Never throws: malformed parts are dropped.
 */
export function readDetails(metadata: Metadata): ToldDetails | undefined {
  const info = metadata.get(TRAILER).flatMap((value) => readInfo(value))[0];
  if (info) {
    const { [TOPIC]: topic, [HINT]: hint, ...fields } = info.metadata;
    return { ...readHint(hint), ...readTopic(topic), ...readReasonOf(info.reason, fields) };
  }
  const [hint] = metadata.get(FORMER.hint);
  const [topic] = metadata.get(FORMER.topic);
  return hint === undefined ? undefined : { ...readHint(String(hint)), ...readTopic(topic) };
}

/** Shortens a text and keeps it well-formed, because gRPC encodes it as a URI. */
export function shorten(text: string, most: number = MAX_TEXT_LENGTH): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.length <= most ? wellFormed : `${wellFormed.slice(0, most)}…`.toWellFormed();
}

function readInfo(value: string | Buffer): ErrorInfo[] {
  if (typeof value === "string") return [];
  try {
    return fromBinary(StatusSchema, value).details.flatMap((detail) => {
      const info = anyUnpack(detail, ErrorInfoSchema);
      return info?.domain === DOMAIN ? [info] : [];
    });
  } catch {
    return [];
  }
}

function readHint(hint: string | undefined): Pick<ToldDetails, "hint"> {
  return hint === undefined || hint === "" ? {} : { hint: shorten(hint) };
}

function readTopic(topic: unknown): Pick<ToldDetails, "topic"> {
  return typeof topic === "string" && TOPIC_TEXT.test(topic) ? { topic: topic as Topic } : {};
}

function readReasonOf(name: string, metadata: Readonly<Record<string, string>>): Pick<ToldDetails, "reason"> {
  if (!REASON_NAME.test(name) || isCode(name)) return {};
  const fields = Object.entries(metadata)
    .filter(([field]) => FIELD_NAME.test(field))
    .slice(0, MAX_FIELDS)
    .map(([field, value]) => [field, shorten(value, MAX_FIELD_LENGTH)] as const);
  return { reason: { name, fields: Object.fromEntries(fields) } };
}

function isCode(name: string): boolean {
  return Object.hasOwn(status, name);
}
