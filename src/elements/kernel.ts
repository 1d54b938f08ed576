/** KERNEL: a device in a workload's namespace. Upstream: sdk/pkg/networkservice/common/mechanisms/kernel */
import { create } from "@bufbuild/protobuf";
import { MechanismSchema, type Connection } from "../api/gen/nsm/connection_pb.js";
import { isLocalUrl } from "../api/directory.ts";
import { memoryKey } from "../chain/call.ts";
import type { Netns } from "../kernel/kernel.ts";
import type { ConnectionElement } from "./connection.ts";
import { interfaceName } from "./interface-name.ts";
import { KERNEL, LOCAL, readKernel, ROUTER_ADVERTISEMENTS } from "./mechanism.ts";
import { wireIdOf } from "./wire-id.ts";
import type { ServerMechanism } from "./mechanisms.ts";

/** The forwarder's side towards a client of this host. A device without a name gets one; a wrong one is refused. */
export function kernelServer(): ServerMechanism {
  return {
    type: KERNEL,
    request(call, { id, networkService }, mechanism) {
      const { parameters } = mechanism;
      parameters["name"] ||= interfaceName(call.world.random, networkService, { connectionId: id, n: 0 });
      readKernel(mechanism);
    },
  };
}

export interface KernelEndpointOptions {
  readonly netns: Netns;
  /** Default: made from the service's name, another for each connection. */
  readonly nameOf?: ((connection: Connection) => string) | undefined;
  /** The workload believes the router advertisements of its clients. Default: false, whatever the caller says. */
  readonly routerAdvertisements?: boolean | undefined;
}

const NAME = memoryKey<string>("kernel: name");

/** The endpoint's side: the device goes into the endpoint's own workload, whatever the caller says of a namespace. */
export function kernelEndpoint({
  netns,
  nameOf,
  routerAdvertisements = false,
}: KernelEndpointOptions): ServerMechanism {
  /** By name the wire that has the device, and the connection that has asked for it last. */
  const taken = new Map<string, { readonly wireId: string; readonly id: string }>();
  return {
    type: KERNEL,
    request(call, connection, mechanism) {
      const { parameters } = mechanism;
      let name = call.memory.get(NAME) ?? nameOf?.(connection) ?? parameters["name"] ?? "";
      const { id, networkService } = connection;
      const wireId = wireIdOf(connection);
      const isOthers = (wanted: string): boolean => (taken.get(wanted)?.wireId ?? wireId) !== wireId;
      for (let n = 0; name === "" || (call.memory.get(NAME) === undefined && isOthers(name)); n++) {
        name = interfaceName(call.world.random, networkService, { connectionId: id, n });
      }
      taken.set(name, { wireId, id });
      call.memory.set(NAME, name);
      mechanism.cls = LOCAL;
      parameters["inodeURL"] = netns;
      parameters["name"] = name;
      if (routerAdvertisements) parameters[ROUTER_ADVERTISEMENTS] = "true";
      else delete parameters[ROUTER_ADVERTISEMENTS];
    },
    close(call, { id }) {
      const name = call.memory.delete(NAME);
      if (name !== undefined && taken.get(name)?.id === id) taken.delete(name);
    },
  };
}

/** The forwarder's side towards an endpoint of this host: offers KERNEL, and leaves the rest to the endpoint. */
export function kernelClient(): ConnectionElement {
  return {
    name: "kernel",
    async request(call, request, next) {
      if (isLocalUrl(call.nextUrl ?? "")) {
        request.mechanismPreferences.push(create(MechanismSchema, { cls: LOCAL, type: KERNEL }));
      }
      return await next(request);
    },
  };
}
