/** Merges the requests of a client's connection, for `begin`. Upstream: sdk/pkg/networkservice/common/begin/merge.go */
import { copyMessage } from "../../api/copy-message.ts";
import { equals } from "@bufbuild/protobuf";
import { State } from "../../api/gen/nsm/connection_pb.js";
import { ConnectionContextSchema } from "../../api/gen/nsm/connectioncontext_pb.js";
import type { NetworkServiceRequest } from "../../api/gen/nsm/networkservice_pb.js";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { ResourceKind } from "../../chain/begin.ts";
import { CONNECTION_KIND, connectionOf } from "../connection.ts";

/**
 * Guarantees
 * - A repeated request keeps the answered segments, mechanism, endpoint and context.
 * - Labels, endpoint and context that the caller changed since its last request replace the answered ones. Another
 *   service means another endpoint.
 * - A reselect that fails can be requested again.
 */
export const CLIENT_KIND: Readonly<ResourceKind<NetworkServiceRequest, Connection>> = {
  ...CONNECTION_KIND,
  heals: true,
  merge: (request, last) => {
    const asked = connectionOf(request);
    const before = connectionOf(last.request);
    const merged = copyMessage(last.resource);
    merged.labels = { ...merged.labels, ...asked.labels };
    if (asked.state === State.RESELECT_REQUESTED) merged.state = asked.state;
    if (asked.networkService !== merged.networkService || merged.state === State.RESELECT_REQUESTED) {
      merged.networkService = asked.networkService;
      merged.networkServiceEndpointName = asked.networkServiceEndpointName;
      merged.payload = asked.payload;
      merged.state = State.RESELECT_REQUESTED;
      delete merged.mechanism;
    } else if (asked.networkServiceEndpointName !== "") {
      merged.networkServiceEndpointName = asked.networkServiceEndpointName;
    }
    if (
      asked.context &&
      !(before.context && equals(ConnectionContextSchema, asked.context, before.context))
    ) {
      merged.context = copyMessage(asked.context);
    }
    request.connection = merged;
    return request;
  },
};
