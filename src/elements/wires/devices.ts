/**
 * Mechanisms for workloads of this host. Upstream: sdk/pkg/networkservice/common/mechanisms/kernel
 *
 *   client ──preference──> forwarder: serveDevice | offerDevices ──preference──> endpoint: endpointDevice
 */
import type { Trust } from "../../mechanisms/half.ts";
import { create } from "@bufbuild/protobuf";
import { MechanismSchema, type Connection } from "../../api/gen/nsm/connection_pb.js";
import { isLocalUrl } from "../../api/directory.ts";
import { memoryKey } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { LOCAL_TYPES, readMechanism, typeFor } from "../../mechanisms/list.ts";
import type { LocalType, WorkloadPlace } from "../../mechanisms/mechanism-type.ts";
import type { ConnectionElement } from "../connection.ts";
import { interfaceName } from "./interface-name.ts";
import { wireIdOf } from "./wire-id.ts";
import type { ServerMechanism } from "../mechanisms/mechanisms.ts";

/** The forwarder's side towards clients of this host. A device without a name gets a name; an invalid name is refused. */
export function serveDevices(): ServerMechanism[] {
  return LOCAL_TYPES.map((type) => ({
    type: type.type,
    request(call, { id, networkService }, mechanism) {
      const newName = (): string =>
        interfaceName(call.world.random, networkService, { connectionId: id, n: 0 });
      mechanism.parameters = type.accept(mechanism.parameters, newName);
      readMechanism(mechanism);
    },
  }));
}

/**
 * The forwarder's side towards an endpoint of this host: offers every kind of device, and leaves the choice to the
 * endpoint.
 */
export function offerDevices(): ConnectionElement {
  return {
    name: "devices",
    async request(call, request, next) {
      if (isLocalUrl(call.nextUrl ?? "")) {
        const offers = LOCAL_TYPES.map(({ type, cls }) => create(MechanismSchema, { cls, type }));
        request.mechanismPreferences.push(...offers);
      }
      return await next(request);
    },
  };
}

export interface EndpointDeviceOptions {
  readonly place: WorkloadPlace;
  /** Name of the device. Default: made from the service's name, a different one for each connection. */
  readonly nameOf?: ((connection: Connection) => string) | undefined;
  /** The clients that the workload trusts. Default: none. The caller cannot set it. */
  readonly trust?: Trust | undefined;
  /** The workload forwards packets that come in through the device. Default: false. The caller cannot set it. */
  readonly forwarding?: boolean | undefined;
}

const NAME = memoryKey<string>("devices: name");

/** The endpoint's side: the device goes into the endpoint's own workload, even if the caller names another device. */
export function endpointDevice({
  place,
  nameOf,
  trust = {},
  forwarding = false,
}: EndpointDeviceOptions): ServerMechanism {
  const type: LocalType = typeFor(place);
  /** By device name: the wire that has the device, and the connection that requested it last. */
  const taken = new Map<string, { readonly wireId: string; readonly id: string }>();
  return {
    type: type.type,
    request(call, connection, mechanism) {
      const device = place.port?.device;
      let name =
        device ?? call.memory.get(NAME) ?? nameOf?.(connection) ?? mechanism.parameters["name"] ?? "";
      const { id, networkService } = connection;
      const wireId = wireIdOf(connection);
      const isOthers = (wanted: string): boolean => (taken.get(wanted)?.wireId ?? wireId) !== wireId;
      if (device !== undefined && isOthers(device))
        throw new NetloomError(
          "RESOURCE_EXHAUSTED",
          `end a wire in port ${device}: the port has a wire already`,
          {
            topic: "NL-411",
            reason: reason("PORT_TAKEN", { port: device }),
            side: "endpoint",
            hint: "a port is the end of one wire at a time: close that wire, or offer another port",
          },
        );
      for (let n = 0; name === "" || (call.memory.get(NAME) === undefined && isOthers(name)); n++) {
        name = interfaceName(call.world.random, networkService, { connectionId: id, n });
      }
      taken.set(name, { wireId, id });
      call.memory.set(NAME, name);
      mechanism.cls = type.cls;
      const own = type.forWorkload(place, { name, ...trust, forwarding }) ?? {};
      for (const [key, value] of Object.entries(own)) {
        if (value === "") delete mechanism.parameters[key];
        else mechanism.parameters[key] = value;
      }
    },
    close(call, { id }) {
      const name = call.memory.delete(NAME);
      if (name !== undefined && taken.get(name)?.id === id) taken.delete(name);
    },
  };
}
