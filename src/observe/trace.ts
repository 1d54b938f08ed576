/**
 * Traces: the steps of a request through elements, processes and kernels, with the duration of each. A span is one step. Source:
 * https://www.w3.org/TR/trace-context/ and OpenTelemetry's data model of traces.
 */
import type { Clock } from "../async/clock.ts";

/** The identity of a span for other processes. */
export interface SpanContext {
  /** 32 hexadecimal digits, the same for all spans of a trace. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A step in progress. */
export interface Span {
  /** `undefined` if nobody records: then the span is not kept. */
  readonly context: SpanContext | undefined;
  /** Begins a step within this step. */
  child(name: string, attributes?: Attributes): Span;
  /** To be called once. `error` is the reason if the step failed. */
  end(error?: unknown): void;
}

/** Begins spans. */
export interface Trace {
  /** Begins a step without a parent, or with a parent in another process. */
  begin(name: string, options?: { readonly parent?: SpanContext; readonly attributes?: Attributes }): Span;
}

/** A span that has ended, as plain data. */
export interface FinishedSpan extends SpanContext {
  readonly parentId?: string;
  readonly name: string;
  readonly host: string;
  /** On `Clock.wallMs`. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly attributes: Attributes;
  /** The error's message, if the step has failed. */
  readonly error?: string;
}

/** Receives finished spans. A folder of src/exporters implements it. */
export interface SpanExporter {
  /** Must not throw, and must not wait. */
  export(span: FinishedSpan): void;
  /** Resolves when all exported spans are written. */
  close(): Promise<void>;
}

const NO_SPAN: Readonly<Span> = { context: undefined, child: () => NO_SPAN, end: () => undefined };

/** Records nothing, and costs nothing. */
export const NO_TRACE: Readonly<Trace> = { begin: () => NO_SPAN };

export interface TracerOptions {
  readonly host: string;
  readonly clock: Clock;
  /** As `Random.bytes`. */
  readonly bytes: (purpose: string, n: number, length: number) => Uint8Array;
  readonly exporter: Pick<SpanExporter, "export">;
}

/** A trace that passes every ended span to `exporter`. */
export function tracer({ host, clock, bytes, exporter }: TracerOptions): Trace {
  let drawn = 0;
  const draw = (purpose: string, length: number): string => hex(bytes(purpose, drawn++, length));
  const open = (
    name: string,
    traceId: string,
    { parentId, attributes }: { readonly parentId: string | undefined; readonly attributes: Attributes },
  ): Span => {
    const spanId = draw("span", 8);
    const [startedAtMs, beganMs] = [clock.wallMs(), clock.monotonicMs()];
    return {
      context: { traceId, spanId },
      child: (childName, more = {}) => open(childName, traceId, { parentId: spanId, attributes: more }),
      end: (error) =>
        exporter.export({
          traceId,
          spanId,
          ...(parentId !== undefined && { parentId }),
          name,
          host,
          startedAtMs,
          durationMs: clock.monotonicMs() - beganMs,
          attributes,
          ...(error !== undefined && { error: reasonOf(error) }),
        }),
    };
  };
  return {
    begin: (name, { parent, attributes = {} } = {}) =>
      open(name, parent?.traceId ?? draw("trace", 16), { parentId: parent?.spanId, attributes }),
  };
}

/** Runs `task` within `span`, and ends the span with it. */
export async function within<T>(span: Span, task: () => Promise<T>): Promise<T> {
  if (span.context === undefined) return await task();
  try {
    const result = await task();
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
