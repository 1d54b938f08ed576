/** Upstream: cmd-forwarder-vpp, sdk-vpp/pkg/networkservice/chains/forwarder */
import type { Kernel } from "../kernel/kernel.ts";
import type { Directory, EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import { borrowClient, borrowEndpoint } from "../elements/wires/borrow-devices.ts";
import { claimAddresses } from "../elements/wires/claim-addresses.ts";
import type { ConnectionElement } from "../elements/connection.ts";
import { connect } from "../elements/connect.ts";
import { discover, type Discovery } from "../elements/discovery/discover.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { followNext } from "../elements/discovery/follow-next.ts";
import { offerDevices, serveDevices } from "../elements/wires/devices.ts";
import { mechanisms } from "../elements/mechanisms/mechanisms.ts";
import { requestedMtu } from "../elements/context/requested-mtu.ts";
import { metrics } from "../elements/path/metrics.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { NextHopMonitor } from "../elements/upkeep/next-hop-monitor.ts";
import { select, type Selection } from "../elements/discovery/select.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { translateMechanism } from "../elements/mechanisms/translate-mechanism.ts";
import { updateToken } from "../elements/path/update-token.ts";
import type { TunnelOptions } from "../elements/mechanisms/tunnel-options.ts";
import { fitTunnel } from "../elements/mechanisms/fit-tunnel.ts";
import { tunnelServers } from "../elements/mechanisms/tunnel-servers.ts";
import { tunnels as offerTunnels } from "../elements/mechanisms/tunnels.ts";
import { via } from "../elements/discovery/via.ts";
import { wire, type Wires } from "../elements/wires/wire.ts";
import type { Claims } from "../forwarder/claims/claims.ts";
import { hopByUrl, type ConnectionRole, type RoleOptions } from "./role.ts";

export interface ForwarderOptions extends RoleOptions {
  readonly kernel: Kernel;
  readonly directory: Directory;
  /** The registry chain of the forwarder's manager. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  /** `Reconciler` of src/forwarder. */
  readonly wires: Wires;
  /** The claims that `wires` keeps up to date. */
  readonly claims: Claims;
  /** Awaited before a request goes on to the station at `url`, unless the station is in this process. */
  readonly onNext?: (url: string) => Promise<void>;
  /** Absent: only wires inside of this host. */
  readonly tunnels?: TunnelOptions;
  /** Reports why an endpoint was chosen, by the forwarder's own connection id: for `netloom why`. */
  readonly onDiscovery?: (id: string, discovery: Discovery) => void;
  readonly onSelection?: (id: string, selection: Selection) => void;
}

/** Picks the endpoint, requests the connection from it, and makes the wire. */
export function forwarder(options: ForwarderOptions): ConnectionRole {
  const { world, name, identity, services, endpoints, directory, kernel, tunnels } = options;
  const board = new MonitorBoard();
  const hopOf = hopByUrl(directory);
  return new ConnectionDoor({
    world,
    name,
    identity,
    board,
    elements: [
      updateToken(identity),
      timeout(),
      monitor(board),
      requestedMtu(),
      discover({ services, endpoints }, options.onDiscovery),
      select(endpoints, options.onSelection),
      via(endpoints),
      mechanisms([...serveDevices(), ...(tunnels ? tunnelServers(tunnels) : [])]),
      translateMechanism(),
      offerDevices(),
      ...(tunnels ? [offerTunnels(tunnels)] : []),
      metrics(kernel),
      borrowClient(kernel),
      wire(options.wires),
      claimAddresses(options.claims),
      borrowEndpoint(kernel),
      ...(tunnels ? [fitTunnel(tunnels)] : []),
      ...(options.onNext ? [noteNext(options.onNext)] : []),
      followNext({
        monitor: new NextHopMonitor(world.scope, name),
        hopOf,
        onNotice: (call, id, notice) => board.relay(call, id, notice),
      }),
    ],
    last: connect(hopOf),
  });
}

function noteNext(onNext: (url: string) => Promise<void>): ConnectionElement {
  return {
    name: "note-next",
    async request(call, request, next) {
      const url = call.nextUrl ?? "";
      if (url !== "" && !url.startsWith("self:")) await onNext(url);
      return await next(request);
    },
  };
}
