/** The engine of every role: elements joined into a chain. */
import { within } from "../observe/trace.ts";
import type { Call } from "./call.ts";

/** Runs the rest of the chain. Without `call` the element's own call is passed on. */
type Next<Q, R> = (request: Q, call?: Call) => Promise<R>;

/**
 * One step of a chain that turns a request `Q` into a resource `R`: a NetworkServiceRequest into a Connection, or a
 * registration into itself. The same element serves the server's and the client's side. A missing verb passes through.
 */
export interface Element<Q, R> {
  /** Upstream's name of the element; also the name of its span and in its log. */
  readonly name: string;
  /**
   * Creates or refreshes the resource. It is called again for every refresh, so it has to be idempotent. It may change the
   * message, which is a clone made by `begin`.
   */
  request?(call: Call, request: Q, next: Next<Q, R>): Promise<R>;
  /**
   * Releases everything that `request` made, and always calls the next element, even after an error. Called exactly
   * once for an established resource, and once for a first request that failed.
   */
  close?(call: Call, resource: R, next: Next<R, void>): Promise<void>;
}

/** The receiver of a request: a chain, a client or a simulated link. */
export interface Station<Q, R> {
  request(call: Call, request: Q): Promise<R>;
  close(call: Call, resource: R): Promise<void>;
}

/** Joins elements into a station. `last` gets the calls that reach the end of the chain. Each element has a span of its own. */
export function compose<Q, R>(elements: readonly Element<Q, R>[], last: Station<Q, R>): Station<Q, R> {
  return elements.reduceRight<Station<Q, R>>(
    (rest, element) => ({
      request: (call, request) => {
        if (!element.request) return rest.request(call, request);
        const own = step(call, `${element.name} request`);
        return over(
          own,
          call,
          element.request(own, request, (changed, other = own) => rest.request(other, changed)),
        );
      },
      close: (call, resource) => {
        if (!element.close) return rest.close(call, resource);
        const own = step(call, `${element.name} close`);
        return over(
          own,
          call,
          element.close(own, resource, (changed, other = own) => rest.close(other, changed)),
        );
      },
    }),
    last,
  );
}

/** The call with a span of its own; the same call if nothing records spans. */
function step(call: Call, name: string): Call {
  return call.span.context ? { ...call, span: call.span.child(name) } : call;
}

function over<T>({ span }: Call, call: Call, outcome: Promise<T>): Promise<T> {
  return span === call.span ? outcome : within(span, () => outcome);
}
