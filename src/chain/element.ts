/** The engine of every role: elements joined into a chain. */
import type { Call } from "./call.ts";

/** Runs the rest of the chain. Without `call` the same call goes on. */
type Next<Q, R> = (request: Q, call?: Call) => Promise<R>;

/**
 * One step of a chain that turns a request `Q` into a resource `R`: a NetworkServiceRequest into a Connection, or a
 * registration into itself. The same element serves the server's and the client's side. A missing verb passes through.
 */
export interface Element<Q, R> {
  /** Upstream's name of the element; name of its span and in its log. */
  readonly name: string;
  /**
   * Creates or refreshes the resource. It is called again for every refresh, so it has to be idempotent. It may change
   * the message that it was given: `begin` has cloned it.
   */
  request?(call: Call, request: Q, next: Next<Q, R>): Promise<R>;
  /**
   * Releases what `request` made, and always goes on to the next element, whatever fails. Called exactly once for a
   * resource that was established, and once for a first request that failed.
   */
  close?(call: Call, resource: R, next: Next<R, void>): Promise<void>;
}

/** A chain, a client or a simulated link: what a request can be handed to. */
export interface Station<Q, R> {
  request(call: Call, request: Q): Promise<R>;
  close(call: Call, resource: R): Promise<void>;
}

/** Joins elements into a station. `last` takes what no element has answered. */
export function compose<Q, R>(elements: readonly Element<Q, R>[], last: Station<Q, R>): Station<Q, R> {
  return elements.reduceRight<Station<Q, R>>(
    (rest, element) => ({
      request: (call, request) =>
        element.request
          ? element.request(call, request, (changed, other = call) => rest.request(other, changed))
          : rest.request(call, request),
      close: (call, resource) =>
        element.close
          ? element.close(call, resource, (changed, other = call) => rest.close(other, changed))
          : rest.close(call, resource),
    }),
    last,
  );
}
