/** Sets the time of an endpoint's first registration. Upstream: sdk/pkg/registry/common/setregistrationtime */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Element } from "../chain/element.ts";

/** Keeps the time through every refresh. A first registration may bring its own time. */
export function setRegistrationTime(
  known: (name: string) => NetworkServiceEndpoint | undefined,
): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "set-registration-time",
    request(call, endpoint, next) {
      endpoint.initialRegistrationTime =
        known(endpoint.name)?.initialRegistrationTime ??
        endpoint.initialRegistrationTime ??
        timestampFromMs(call.world.clock.wallMs());
      return next(endpoint);
    },
  };
}
