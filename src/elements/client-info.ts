/** Labels that say where a client is. Upstream: sdk/pkg/networkservice/common/clientinfo */
import { connectionOf, type ConnectionElement } from "./connection.ts";

/** Adds `labels` (`nodeName`, `podName`, `clusterName`) where the connection does not have them already. */
export function clientInfo(labels: Readonly<Record<string, string>>): ConnectionElement {
  return {
    name: "client-info",
    async request(_call, request, next) {
      const connection = connectionOf(request);
      for (const [key, value] of Object.entries(labels)) {
        if (!Object.hasOwn(connection.labels, key)) connection.labels[key] = value;
      }
      return await next(request);
    },
  };
}
