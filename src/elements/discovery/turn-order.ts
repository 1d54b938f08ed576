/** The order in which the candidates of a service are tried. Upstream: sdk/pkg/networkservice/common/roundrobin */
import type { Candidate } from "../../registry/matching/match.ts";

/** Limit on the services whose turns are stored. */
const MAX_SERVICES = 4_096;

interface Turn {
  /** Counter of round robin. */
  count: number;
  /** Credit of each endpoint by name, for smooth weighted round robin. */
  credits: ReadonlyMap<string, number>;
}

/**
 * Guarantees
 * - Without weights: upstream's round robin over the candidates in their order. Each request begins one candidate
 *   further.
 * - With weights: smooth weighted round robin, as in nginx. An endpoint reached by two routes has the sum of their
 *   weights. Over as many turns as the sum of all weights, each endpoint is first as often as its weight. An endpoint
 *   with weight 0 is tried last.
 * - Every endpoint is in the order exactly once.
 */
export class TurnOrder {
  readonly #turns = new Map<string, Turn>();

  next(service: string, candidates: readonly Candidate[]): Candidate[] {
    const turn = this.#turns.get(service) ?? { count: 0, credits: new Map() };
    this.#turns.delete(service);
    this.#turns.set(service, turn);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > MAX_SERVICES && oldest !== undefined) this.#turns.delete(oldest);
    return candidates.some(({ weight }) => weight > 0)
      ? weighted(turn, candidates)
      : inTurn(turn, candidates);
  }
}

function inTurn(turn: Turn, candidates: readonly Candidate[]): Candidate[] {
  const start = turn.count++ % Math.max(1, candidates.length);
  return once([...candidates.slice(start), ...candidates.slice(0, start)]);
}

function weighted(turn: Turn, candidates: readonly Candidate[]): Candidate[] {
  const weights = new Map<string, number>();
  for (const { endpoint, weight } of candidates) {
    weights.set(endpoint.name, (weights.get(endpoint.name) ?? 0) + weight);
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const credits = new Map(
    [...weights].map(([name, weight]) => [name, (turn.credits.get(name) ?? 0) + weight]),
  );
  const order = once(candidates).sort((a, b) => rank(b.endpoint.name) - rank(a.endpoint.name));
  function rank(name: string): number {
    return weights.get(name) === 0 ? -Infinity : (credits.get(name) ?? 0);
  }
  const first = order[0]?.endpoint.name ?? "";
  credits.set(first, (credits.get(first) ?? 0) - total);
  turn.credits = credits;
  return order;
}

function once(candidates: readonly Candidate[]): Candidate[] {
  return [...new Map(candidates.map((each) => [each.endpoint.name, each])).values()];
}
