/** Labels that say where a client is. Upstream: sdk/pkg/networkservice/common/clientinfo */
import { connectionOf, type ConnectionElement } from "../connection.ts";

type Labels = Readonly<Record<string, string>>;

/** The labels that a client's own become at its manager: `added` only where the client does not say it itself. */
export function withClientInfo(own: Labels, added: Labels): Record<string, string> {
  return { ...added, ...own };
}

/** Adds `labels` (`nodeName`, `podName`, `clusterName`) where the connection does not have them already. */
export function clientInfo(labels: Labels): ConnectionElement {
  return {
    name: "client-info",
    async request(_call, request, next) {
      const connection = connectionOf(request);
      connection.labels = withClientInfo(connection.labels, labels);
      return await next(request);
    },
  };
}
