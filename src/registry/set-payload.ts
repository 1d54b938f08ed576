/** Sets the default payload of a service. Upstream: sdk/pkg/registry/common/setpayload */
import type { NetworkService } from "../api/gen/nsm/registry_pb.js";
import { PAYLOAD_IP } from "../api/payload.ts";
import type { Element } from "../chain/element.ts";

export function setPayload(): Element<NetworkService, NetworkService> {
  return {
    name: "set-payload",
    request(_call, service, next) {
      service.payload ||= PAYLOAD_IP;
      return next(service);
    },
  };
}
