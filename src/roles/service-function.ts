/** Upstream: cmd-nse-firewall-vpp, sdk/pkg/networkservice/common/passthrough */
import type { ConnectionHop } from "../api/hops.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { clientRequest } from "../elements/context/client-request.ts";
import { connect } from "../elements/connect.ts";
import { endpointDevice } from "../elements/wires/devices.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { type ContextOptions, endpointContext } from "../elements/context/endpoint-context.ts";
import { followNext } from "../elements/discovery/follow-next.ts";
import { type AddressOptions, ipam } from "../elements/context/ipam.ts";
import { mechanisms } from "../elements/mechanisms/mechanisms.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { NextHopMonitor } from "../elements/upkeep/next-hop-monitor.ts";
import { Onward, type OnwardOptions } from "../elements/wires/onward.ts";
import { sayWorkload } from "../elements/path/path-hosts.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { updateToken } from "../elements/path/update-token.ts";
import { wireIdOf } from "../elements/wires/wire-id.ts";
import { hash64 } from "../net/hash.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface ServiceFunctionRoleOptions extends RoleOptions, Omit<OnwardOptions, "name" | "nameOf"> {
  /** The workload's name on its host. */
  readonly workload: string;
  /** The manager of its host. */
  readonly next: ConnectionHop;
  /** Addresses of the wires towards the function's clients. */
  readonly addresses: AddressOptions;
  /** Routes, DNS and more of the function itself for every client; read at every request. */
  readonly context: () => ContextOptions;
}

/**
 * The role in the middle of service chains: answers for a workload, and requests the next wire for it. Each client's
 * wire ends in the device `in-…`, and its next wire begins at `out-…` with the same suffix.
 */
export function serviceFunctionRole(options: ServiceFunctionRoleOptions): ConnectionRole {
  const { world, name, identity, netns, next, addresses, context, workload } = options;
  const board = new MonitorBoard();
  const onward = new Onward({ ...options, nameOf: deviceName("out") });
  return new ConnectionDoor({
    world,
    name,
    identity,
    board,
    elements: [
      updateToken(identity),
      timeout(),
      monitor(board),
      sayWorkload(workload),
      mechanisms([endpointDevice({ place: { netns }, nameOf: deviceName("in"), forwarding: true })]),
      clientRequest({ addresses: "pools" }),
      ipam(name, addresses),
      endpointContext(context),
      onward.element(),
      followNext({
        monitor: new NextHopMonitor(world.scope, name),
        hopOf: () => next,
        onNotice: (call, id, notice) => {
          onward.hear(call, notice);
          board.relay(call, id, notice);
        },
      }),
    ],
    last: connect(() => next),
  });
}

const DIGITS = 8;

/**
 * A device name that is the same for a client's wire after every restart, and long enough to be unique. Firewall rules
 * can match `in-*`.
 */
function deviceName(prefix: "in" | "out"): (first: Connection) => string {
  return (first) => {
    const digits = (hash64(`function ${wireIdOf(first)}`) % 36n ** BigInt(DIGITS)).toString(36);
    return `${prefix}-${digits.padStart(DIGITS, "0")}`;
  };
}
