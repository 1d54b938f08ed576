/**
 * The hosts and workloads of a wire by name. A path only has names of stations, so the stations add more to the metrics
 * of their segments: each forwarder adds its host, a client its workload, a service function the addresses at the far
 * end of the next wire.
 */
import type { Connection, PathSegment } from "../../api/gen/nsm/connection_pb.js";
import { connectionOf, type ConnectionElement, ownSegment } from "../connection.ts";

/** Key of a forwarder's metrics: the name of its host. */
export const NODE_NAME = "node_name";

/** Key of a client's metrics: the name of its workload on its host. */
const WORKLOAD_NAME = "workload_name";

/** Key of a service function's metrics: the addresses at the far end of the wire that begins there. */
const FAR_ADDRESSES = "far_addresses";

/** Metrics that identify a segment as a forwarder's, Netloom's or upstream's (metrics.ts). */
const SIGNS = [NODE_NAME, "server_interface", "client_interface"] as const;

/** The hosts in the order of the path, one for each forwarder; empty for a forwarder that does not name its host. */
export function hostsOf(stations: readonly PathSegment[]): string[] {
  return stations
    .filter(({ metrics }) => SIGNS.some((key) => metrics[key] !== undefined))
    .map(({ metrics }) => metrics[NODE_NAME] ?? "");
}

/** The workload at which a wire begins; empty if its client does not name it. */
export function clientWorkloadOf([client]: readonly PathSegment[]): string {
  return client?.metrics[WORKLOAD_NAME] ?? "";
}

/** The addresses at the far end of a wire that a service function requests; none if the function does not list them. */
export function farAddressesOf([asking]: readonly PathSegment[]): string[] {
  return (asking?.metrics[FAR_ADDRESSES] ?? "").split(",").filter((each) => each !== "");
}

/** For a service function, after the answer for the next wire: records the addresses at that wire's far end. */
export function sayFarAddresses(connection: Connection, addresses: readonly string[]): void {
  const own = ownSegment(connection);
  if (own) own.metrics[FAR_ADDRESSES] = addresses.join(",");
}

/** For a client: records the workload of its host for which it requests the wire. */
export function sayWorkload(name: string): ConnectionElement {
  return {
    name: "say-workload",
    async request(_call, request, next) {
      const own = ownSegment(connectionOf(request));
      if (own) own.metrics[WORKLOAD_NAME] = name;
      return await next(request);
    },
  };
}
