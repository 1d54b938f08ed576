/**
 * How much one message may hold. A message within these limits is decoded in milliseconds, and no honest one comes near
 * them. They are counted in the bytes (wire-scan.ts), and again where a message has never been bytes (elements/limits.ts).
 */

/** A chain of eight network functions on as many hosts has 42 segments. */
export const MAX_SEGMENTS = 64;
/** Labels, parameters, metrics, extra context: each. */
export const MAX_PAIRS = 128;
export const MAX_PREFERENCES = 32;
/**
 * Addresses, routes, neighbours, policies: each. What is nested counts over all that it is nested in: the
 * routes of all policies together.
 */
export const MAX_LIST = 1_024;
/** Nobody writes so many: they are the addresses of the other wires of a workload, which may have a thousand and more. */
export const MAX_EXCLUDED = 8_192;

/** Fields of a message in all, those included that are unknown here. */
export const MAX_FIELDS = 16_384;
/** Messages in messages. The deepest of the contracts has 7 levels. */
export const MAX_DEPTH = 16;
/** Elements of a list of messages that stand for themselves: the wires of a host, the endpoints of a mesh. */
export const MAX_UNITS = 65_536;

/** Elements of a list over the whole message, where it is not `MAX_LIST`. */
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

/** Lists whose elements are messages for themselves: each has all limits anew. So have all lists of our own contracts. */
export const UNITS: ReadonlySet<string> = new Set(["connection.ConnectionEvent.connections"]);

/** Words for a list that has too many, where the name of the field alone does not help. */
export const WORDS: Readonly<Record<string, string>> = {
  "connection.Path.path_segments":
    "its path has more segments than the 64 that are allowed; do the next hops lead in a circle?",
  "connectioncontext.PolicyRoute.routes": "its policies have more routes than the 1024 that are allowed",
};
