/** The end of a path. Upstream: sdk/pkg/networkservice/common/trimpath */
import type { ConnectionElement } from "../connection.ts";
import { cutPath } from "./update-path.ts";

/** For a role that is the end of the path: removes the tail of an earlier, longer path from the answer. */
export function trimPath(): ConnectionElement {
  return {
    name: "trim-path",
    async request(_call, request, next) {
      const connection = await next(request);
      if (connection.path) cutPath(connection.path);
      return connection;
    },
  };
}
