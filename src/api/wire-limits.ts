/**
 * Limits on the content of one message. A message within them is decoded in milliseconds, and no honest one comes near
 * them. They are checked in the bytes (wire-scan.ts), and again for messages that never were bytes
 * (elements/limits.ts).
 */

/** A chain of eight service functions on as many hosts has 42 segments. */
export const MAX_SEGMENTS = 64;
/** Labels, parameters, metrics and extra context: limit for each. */
export const MAX_PAIRS = 128;
export const MAX_PREFERENCES = 32;
/**
 * Addresses, routes, neighbours and policies: limit for each. Nested elements count over all their parents: the routes
 * of all policies together.
 */
export const MAX_LIST = 1_024;
/**
 * Excluded prefixes. Most are not written by people: they are the addresses of the workload's other wires, which can be
 * a thousand and more.
 */
export const MAX_EXCLUDED = 8_192;

/** Fields of a message in total, unknown ones included. */
export const MAX_FIELDS = 16_384;
/** Depth of nested messages. The deepest message of the contracts has 7 levels. */
export const MAX_DEPTH = 16;
/** Elements of a list of independent messages: the wires of a host, the endpoints of a mesh. */
export const MAX_UNITS = 65_536;

/** Elements of a list over the whole message, if the limit is not `MAX_LIST`. */
export const LIST_LIMITS: Readonly<Record<string, number>> = {
  "connection.Path.path_segments": MAX_SEGMENTS,
  "connection.PathSegment.metrics": MAX_SEGMENTS * MAX_PAIRS,
  "connection.Mechanism.parameters": (MAX_PREFERENCES + 1) * MAX_PAIRS,
  "connection.Connection.labels": MAX_PAIRS,
  "connectioncontext.ConnectionContext.extra_context": MAX_PAIRS,
  "connectioncontext.IPContext.excluded_prefixes": MAX_EXCLUDED,
  "networkservice.NetworkServiceRequest.mechanism_preferences": MAX_PREFERENCES,
  "registry.Match.source_selector": 4 * MAX_LIST,
  "registry.Match.routes": 4 * MAX_LIST,
  "registry.Destination.destination_selector": 4 * MAX_LIST,
  "registry.NetworkServiceLabels.labels": 4 * MAX_LIST,
};

/**
 * Lists whose elements are independent messages: each element has all limits for itself. All lists of Netloom's own
 * contracts are such lists.
 */
export const UNITS: ReadonlySet<string> = new Set(["connection.ConnectionEvent.connections"]);

/** Messages for lists that are too long, where the field's name does not explain enough. */
export const WORDS: Readonly<Record<string, string>> = {
  "connection.Path.path_segments":
    "its path has more segments than the 64 that are allowed; do the next hops lead in a circle?",
  "connectioncontext.PolicyRoute.routes": "its policies have more routes than the 1024 that are allowed",
};
