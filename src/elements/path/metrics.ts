/**
 * The metrics of a wire in its forwarder's path segment. Upstream: sdk-vpp/pkg/networkservice/metrics,
 * mechanisms/{server,client}.go
 */
import type { Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { readMeters } from "../../forwarder/meter.ts";
import type { Wire } from "../../forwarder/wire.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { connectionOf, ownSegment, type ConnectionElement } from "../connection.ts";
import { NODE_NAME } from "./path-hosts.ts";
import { INCOMING } from "../mechanisms/translate-mechanism.ts";
import { APPLIED } from "../wires/wire.ts";

/**
 * In upstream's terms a forwarder is a server to the client and a client of the endpoint: `server_…` is the client's
 * side, `client_…` the endpoint's side. `rx` comes in from that side, `tx` goes out to it.
 *
 * Guarantees
 * - `node_name` is the host of this forwarder, for the stations on both sides of it (path-hosts.ts).
 * - `client_interface` and `server_interface` are `TYPE/name`, with `unknown` for a tunnel without a name.
 * - The answer to a refresh has the traffic of the wire: `{client,server}_{rx,tx}_{bytes,packets}`, decimal numbers.
 *   One read of two devices gets it. A new wire has no counters, and its request does not wait for counters.
 * - If the kernel cannot be read, the counters stay as they were.
 */
export function metrics(kernel: Kernel): ConnectionElement {
  return {
    name: "metrics",
    async request(call, request, next) {
      const isRefresh = call.memory.get(APPLIED) !== undefined;
      const asking = ownSegment(connectionOf(request));
      if (asking) asking.metrics[NODE_NAME] = call.world.host;
      const answer = await next(request);
      const segment = ownSegment(answer);
      if (!segment) return answer;
      segment.metrics[NODE_NAME] = call.world.host;
      const incoming = call.memory.get(INCOMING);
      if (incoming) segment.metrics["server_interface"] = describe(incoming);
      if (answer.mechanism) segment.metrics["client_interface"] = describe(answer.mechanism);
      const applied = call.memory.get(APPLIED);
      if (isRefresh && applied) Object.assign(segment.metrics, await count(kernel, applied));
      return answer;
    },
  };
}

async function count(kernel: Kernel, wire: Wire): Promise<Record<string, string>> {
  try {
    const [toClient, toEndpoint] = await readMeters(kernel, [
      { wire, towards: "client" },
      { wire, towards: "endpoint" },
    ]);
    if (!toClient || !toEndpoint) return {};
    const directions = {
      client_rx: toClient,
      client_tx: toEndpoint,
      server_rx: toEndpoint,
      server_tx: toClient,
    };
    return Object.fromEntries(
      Object.entries(directions).flatMap(([name, { bytes, packets }]) => [
        [`${name}_bytes`, String(bytes)],
        [`${name}_packets`, String(packets)],
      ]),
    );
  } catch (error) {
    if (error instanceof NetloomError) return {};
    throw error;
  }
}

function describe({ type, parameters }: Mechanism): string {
  return `${type}/${parameters["name"] ?? "unknown"}`;
}
