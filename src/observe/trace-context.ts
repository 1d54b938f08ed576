/** Carries the identity of a span beside a message, as in W3C Trace Context level 1. */
import type { Span, SpanContext } from "./trace.ts";

const HEADER = "traceparent";
/** Version 00, trace id, span id, flags. A later version may append fields. */
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** Headers with which the next process continues the trace. Empty if nobody records. */
export function traceHeaders({ context }: Span): Readonly<Record<string, string>> {
  return context ? { [HEADER]: `00-${context.traceId}-${context.spanId}-01` } : {};
}

/** The span of the caller. `undefined` if it is missing or malformed: a trace is no reason to refuse a call. */
export function readTraceHeaders(headers: Readonly<Record<string, string>>): SpanContext | undefined {
  const [, version, traceId = "", spanId = "", rest] = FORM.exec(headers[HEADER] ?? "") ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId };
}
