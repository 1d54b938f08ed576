/** May the caller do that? Upstream: sdk/pkg/networkservice/common/authorize/server.go */

import { copyMessage } from "../api/copy-message.ts";
import { type Connection } from "../api/gen/nsm/connection_pb.js";
import type { Call } from "../chain/call.ts";
import type { Identity } from "../identity/identity.ts";
import type { ConnectionElement } from "./connection.ts";
import { trimPath } from "./update-path.ts";

/** Asks `identity` about the way up to here, on request and close, before anything behind it has seen the message. */
export function authorize(identity: Identity): ConnectionElement {
  const check = (call: Call, { path }: Connection): void => {
    if (!path) return;
    const wayHere = copyMessage(path);
    trimPath(wayHere);
    identity.authorize(wayHere, call.peer);
  };
  return {
    name: "authorize",
    async request(call, request, next) {
      if (request.connection) check(call, request.connection);
      return await next(request);
    },
    async close(call, connection, next) {
      // What this process closes by itself nobody has asked for: the tokens of the path may have expired.
      if (call.reason !== "lost") check(call, connection);
      await next(connection);
    },
  };
}
