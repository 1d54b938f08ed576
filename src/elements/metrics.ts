/** What a forwarder says of a wire in its path segment. Upstream: sdk-vpp/pkg/networkservice/metrics, mechanisms/{server,client}.go */
import type { Mechanism } from "../api/gen/nsm/connection_pb.js";
import type { Wire } from "../forwarder/wire.ts";
import { ownSegment, type ConnectionElement } from "./connection.ts";
import { INCOMING } from "./translate-mechanism.ts";
import { APPLIED } from "./wire.ts";

/** Counters of a wire in upstream's words: `client_rx_bytes`, `server_tx_packets`, … as decimal numbers. */
export type ReadCounters = (wire: Wire) => Promise<Readonly<Record<string, string>>>;

/**
 * Guarantees
 * - `client_interface` and `server_interface` are `TYPE/name`, with `unknown` for a tunnel without a name.
 * - With `readCounters` the counters of the wire are in every answer; a kernel that cannot be read changes nothing else.
 */
export function metrics(readCounters?: ReadCounters): ConnectionElement {
  return {
    name: "metrics",
    async request(call, request, next) {
      const answer = await next(request);
      const segment = ownSegment(answer);
      if (!segment) return answer;
      const incoming = call.memory.get(INCOMING);
      if (incoming) segment.metrics["client_interface"] = describe(incoming);
      if (answer.mechanism) segment.metrics["server_interface"] = describe(answer.mechanism);
      const applied = call.memory.get(APPLIED);
      if (readCounters && applied) Object.assign(segment.metrics, await readCounters(applied));
      return answer;
    },
  };
}

function describe({ type, parameters }: Mechanism): string {
  return `${type}/${parameters["name"] ?? "unknown"}`;
}
