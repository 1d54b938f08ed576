/**
 * Selects the endpoints for a client: pure functions over registrations. Upstream: sdk/pkg/tools/matchutils/utils.go at 9ac672c
 */
import { equals } from "@bufbuild/protobuf";
import {
  MatchSchema,
  type Match,
  type NetworkService,
  type NetworkServiceEndpoint,
} from "../../api/gen/nsm/registry_pb.js";
import { renderTemplate } from "./template.ts";

export type Labels = Readonly<Record<string, string>>;

/** An endpoint that a service's matches select, with the weight of its route (0: no preference). */
export interface Candidate {
  readonly endpoint: NetworkServiceEndpoint;
  readonly weight: number;
}

/** One step of the selection, for `netloom why`. */
export type Decision =
  | { readonly step: "no matches: every endpoint is a candidate" }
  | { readonly step: "source selector does not match"; readonly match: number; readonly label: string }
  | { readonly step: "taken"; readonly match: number; readonly route: number; readonly endpoint: string }
  | {
      readonly step: "destination selector does not match";
      readonly match: number;
      readonly route: number;
      readonly endpoint: string;
      readonly label: string;
    }
  | { readonly step: "no endpoint: falls through"; readonly match: number }
  | { readonly step: "match without routes: every endpoint is a candidate"; readonly match: number }
  | { readonly step: "no endpoint: stops here"; readonly match: number }
  | { readonly step: "no match is left" };

/**
 * The endpoints that a client with `labels` may be sent to, in the order of the matches' routes; an endpoint of two routes is
 * listed twice. The first match whose source selector holds decides, unless it falls through.
 */
export function matchEndpoints(
  labels: Labels,
  service: NetworkService,
  endpoints: readonly NetworkServiceEndpoint[],
  decide: (decision: Decision) => void = () => {},
): Candidate[] {
  const all = (): Candidate[] => endpoints.map((endpoint) => ({ endpoint, weight: 0 }));
  if (service.matches.length === 0) {
    decide({ step: "no matches: every endpoint is a candidate" });
    return all();
  }
  for (const [index, match] of service.matches.entries()) {
    const missing = missingLabel(labels, match.sourceSelector, labels);
    if (missing !== undefined) {
      decide({ step: "source selector does not match", match: index, label: missing });
      continue;
    }
    const candidates = routeCandidates({ labels, match, index, service, endpoints, decide });
    if (candidates.length > 0) return candidates;
    if (match.fallthrough) {
      decide({ step: "no endpoint: falls through", match: index });
    } else if (match.metadata && match.routes.length === 0) {
      decide({ step: "match without routes: every endpoint is a candidate", match: index });
      return all();
    } else {
      decide({ step: "no endpoint: stops here", match: index });
      return [];
    }
  }
  decide({ step: "no match is left" });
  return [];
}

function routeCandidates(context: {
  readonly labels: Labels;
  readonly match: Match;
  readonly index: number;
  readonly service: NetworkService;
  readonly endpoints: readonly NetworkServiceEndpoint[];
  readonly decide: (decision: Decision) => void;
}): Candidate[] {
  const { labels, match, index, service, endpoints, decide } = context;
  const candidates: Candidate[] = [];
  for (const [route, { destinationSelector, weight }] of match.routes.entries()) {
    for (const endpoint of endpoints) {
      const own = endpoint.networkServiceLabels[service.name]?.labels ?? {};
      const label = missingLabel(own, destinationSelector, labels);
      if (label === undefined) {
        candidates.push({ endpoint, weight });
        decide({ step: "taken", match: index, route, endpoint: endpoint.name });
      } else {
        decide({
          step: "destination selector does not match",
          match: index,
          route,
          endpoint: endpoint.name,
          label,
        });
      }
    }
  }
  return candidates;
}

/**
 * The first `key=value` of `selector` that `labels` lack, or `undefined` if they have all. Values are templates over `values`.
 */
export function missingLabel(labels: Labels, selector: Labels, values: Labels): string | undefined {
  const wanted = Object.keys(selector).sort();
  for (const key of wanted) {
    const value = selector[key] ?? "";
    const own = labels[key] ?? "";
    if (own !== value && own !== renderTemplate(value, values)) return `${key}=${value}`;
  }
  // Upstream counts before it compares: a selector with more keys than there are labels never holds, even if the missing labels
  // are selected as empty.
  return Object.keys(labels).length < wanted.length
    ? `${wanted.at(-1)}=${selector[wanted.at(-1) ?? ""]}`
    : undefined;
}

/** Whether `service` answers a Find with this query. An empty field of the query matches everything. */
export function matchesServiceQuery(query: NetworkService, service: NetworkService): boolean {
  return (
    (query.name === "" || query.name === service.name) &&
    (query.payload === "" || query.payload === service.payload) &&
    (query.matches.length === 0 || sameMatches(query.matches, service.matches))
  );
}

/** Whether `endpoint` answers a Find with this query. The URL matches as a substring, everything else exactly. */
export function matchesEndpointQuery(
  query: NetworkServiceEndpoint,
  endpoint: NetworkServiceEndpoint,
): boolean {
  return (
    (query.name === "" || query.name === endpoint.name) &&
    query.networkServiceNames.every((name) => endpoint.networkServiceNames.includes(name)) &&
    Object.entries(query.networkServiceLabels).every(([service, { labels }]) => {
      const own = endpoint.networkServiceLabels[service]?.labels;
      return own !== undefined && Object.entries(labels).every(([key, value]) => own[key] === value);
    }) &&
    (query.expirationTime === undefined ||
      query.expirationTime.seconds === endpoint.expirationTime?.seconds) &&
    endpoint.url.includes(query.url)
  );
}

function sameMatches(a: readonly Match[], b: readonly Match[]): boolean {
  return (
    a.length === b.length && a.every((match, i) => b[i] !== undefined && equals(MatchSchema, match, b[i]))
  );
}
