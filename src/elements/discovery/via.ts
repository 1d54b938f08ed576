/**
 * Sends a request over the hosts that its client lists.
 *
 * ```
 *  alpha               gamma               beta
 *  client              (no workload)       endpoint
 *  via: gamma,delta -> via: delta -> …     no label
 * ```
 */
import type { EndpointRegistryHop } from "../../api/hops.ts";
import { isLocalUrl } from "../../api/directory.ts";
import { NetloomError } from "../../errors/errors.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { FORWARDERS } from "./forwarders.ts";
import { type FindCall, findEndpoints } from "./find.ts";

/** Label of a connection: comma-separated names of the hosts that it still has to pass. */
const VIA = "netloom.via";

/** The label for a route over `hosts`; no label if the list is empty. */
export function viaLabel(hosts: readonly string[]): Readonly<Record<string, string>> {
  return hosts.length === 0 ? {} : { [VIA]: hosts.join(",") };
}

/**
 * Guarantees
 * - A request with the label goes to the manager of the first host in it, with the remaining hosts in the label; the
 *   answer has the caller's label. With no hosts left the request goes to its endpoint.
 * - NOT_FOUND for an unknown host. FAILED_PRECONDITION if hosts are left and the endpoint is on this host: the route
 *   would leave the host and come back.
 */
export function via(endpoints: EndpointRegistryHop): ConnectionElement {
  return {
    name: "via",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const { [VIA]: asked = "", ...others } = connection.labels;
      const [host, ...rest] = asked.split(",").filter((each) => each !== "" && each !== call.world.host);
      if (host === undefined) return await next(request);
      if (isLocalUrl(call.nextUrl ?? "")) {
        throw new NetloomError(
          "FAILED_PRECONDITION",
          `go over host ${host}: endpoint ${connection.networkServiceEndpointName} is on ${call.world.host} itself`,
          { hint: "leave the host out of the list, or name an endpoint of another host" },
        );
      }
      const labels = { ...connection.labels };
      connection.labels = { ...others, ...viaLabel(rest) };
      const answer = await next(request, { ...call, nextUrl: await managerOf(call, endpoints, host) });
      answer.labels = labels;
      return answer;
    },
  };
}

/** The URL of the manager of `host`. The forwarder of that host is registered with this URL. */
async function managerOf(call: FindCall, endpoints: EndpointRegistryHop, host: string): Promise<string> {
  const forwarders = await findEndpoints(call, endpoints, { networkServiceNames: [FORWARDERS] });
  const found = forwarders.find(
    ({ networkServiceLabels, url }) =>
      networkServiceLabels[FORWARDERS]?.labels["nodeName"] === host && !isLocalUrl(url),
  );
  if (found) return found.url;
  throw new NetloomError("NOT_FOUND", `go over host ${host}: the registry has no forwarder of this host`, {
    topic: "NL-304",
    hint: "check that its agent runs and has an address for tunnels; `netloom graph` shows the hosts",
  });
}
