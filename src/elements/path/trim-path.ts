/** The end of a path. Upstream: sdk/pkg/networkservice/common/trimpath */
import type { ConnectionElement } from "../connection.ts";
import { cutPath } from "./update-path.ts";

/** For a role that is the end of the path: its answer has no tail of a longer path that the connection once took. */
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
