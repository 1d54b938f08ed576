/** Upstream: sdk/pkg/networkservice/chains/endpoint/server.go, cmd-nse-icmp-responder */
import { clientRequest } from "../elements/context/client-request.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { endpointContext, type ContextOptions } from "../elements/context/endpoint-context.ts";
import { ipam, type AddressOptions } from "../elements/context/ipam.ts";
import { endpointDevice, type EndpointDeviceOptions } from "../elements/wires/devices.ts";
import { mechanisms } from "../elements/mechanisms/mechanisms.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { trimPath } from "../elements/path/trim-path.ts";
import { updateToken } from "../elements/path/update-token.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface EndpointOptions extends RoleOptions {
  /** The workload that gets, or is, the far end of every wire. A port can be the end of only one wire at a time. */
  readonly place: EndpointDeviceOptions["place"];
  /** Name of the workload's device. Default: derived from the service's name, a different one for each wire. */
  readonly interfaceName?: (connection: Connection) => string;
  /** The clients that the workload trusts. Default: none. */
  readonly trust?: EndpointDeviceOptions["trust"];
  /** Absent: the endpoint assigns no addresses. */
  readonly addresses?: AddressOptions;
  /** Prefixes in which clients may announce networks behind them; read at every request. Default: none. */
  readonly clientRoutes?: () => readonly string[];
  /** Routes, DNS, policies and more for every client; read at every request. */
  readonly context?: () => ContextOptions;
}

/**
 * Answers requests for a workload that offers a network service. Only `clientRequest` of a client's context reach the workload.
 */
export function endpoint(options: EndpointOptions): ConnectionRole {
  const { world, name, identity, place, addresses, context, trust } = options;
  const board = new MonitorBoard();
  return new ConnectionDoor({
    world,
    name,
    identity,
    board,
    elements: [
      updateToken(identity),
      timeout(),
      monitor(board),
      trimPath(),
      mechanisms([endpointDevice({ place, nameOf: options.interfaceName, trust })]),
      clientRequest({
        addresses: !addresses ? "none" : addresses.policy === "polite" ? "any" : "pools",
        routes: options.clientRoutes,
      }),
      ...(addresses ? [ipam(name, addresses)] : []),
      ...(context ? [endpointContext(context)] : []),
    ],
  });
}
