/** Labels with the location of a client. Upstream: sdk/pkg/networkservice/common/clientinfo */
import { connectionOf, type ConnectionElement } from "../connection.ts";

type Labels = Readonly<Record<string, string>>;

/** The labels of a client that its manager passes on: `own`, and the labels of `added` that the client does not set. */
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
