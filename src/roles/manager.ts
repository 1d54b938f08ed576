/** Upstream: sdk/pkg/networkservice/chains/nsmgr/server.go */
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Directory, EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import { clientInfo } from "../elements/context/client-info.ts";
import { connect } from "../elements/connect.ts";
import { discoverForwarder } from "../elements/discovery/discover-forwarder.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { excludedPrefixes } from "../elements/context/excluded-prefixes.ts";
import { followNext } from "../elements/discovery/follow-next.ts";
import { followService } from "../elements/discovery/follow-service.ts";
import { guardWire } from "../elements/wires/guard-wire.ts";
import { localMechanisms } from "../elements/mechanisms/local-mechanisms.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { NextHopMonitor } from "../elements/upkeep/next-hop-monitor.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { updateToken } from "../elements/path/update-token.ts";
import { hopByUrl, type ConnectionRole, type RoleOptions } from "./role.ts";

export interface ManagerOptions extends RoleOptions {
  /** The URL at which other hosts reach this manager: `tcp://10.0.0.1:5001`. Its forwarders are registered with this URL. */
  readonly url: string;
  readonly directory: Directory;
  /** This manager's view of the registry: its own registry chain, in process. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  /** Forwarders of this process. They come before registered ones; their URLs are `self:…`. */
  readonly ownForwarders?: readonly NetworkServiceEndpoint[];
  /** The network service that forwarders are registered for. Default: `forwarder`. */
  readonly forwarderService?: string;
  /** Labels added to connections that lack them: `nodeName`, `clusterName`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Returns whether `services` and `endpoints` are up to date with the registry. Default: true. */
  readonly isRegistryCurrent?: () => boolean;
  /** Prefixes that no endpoint may assign addresses from; read at every request. */
  readonly excludedPrefixes?: () => readonly string[];
}

/** Takes requests of this host's clients and of other hosts' forwarders, and passes them to a forwarder of its host. */
export function manager(options: ManagerOptions): ConnectionRole {
  const { world, name, identity, url, services, endpoints, directory } = options;
  const board = new MonitorBoard();
  const hopOf = hopByUrl(directory);
  return new ConnectionDoor({
    world,
    name,
    identity,
    board,
    elements: [
      updateToken(identity),
      guardWire(identity.authorize),
      localMechanisms(identity.authorize),
      timeout(),
      monitor(board),
      clientInfo(options.labels ?? {}),
      followService({ world, registries: { services, endpoints }, isCurrent: options.isRegistryCurrent }),
      excludedPrefixes(options.excludedPrefixes ?? (() => [])),
      discoverForwarder({
        registries: { services, endpoints },
        url,
        service: options.forwarderService,
        own: options.ownForwarders,
      }),
      followNext({
        monitor: new NextHopMonitor(world.scope, name),
        hopOf,
        onNotice: (call, id, notice) => board.relay(call, id, notice),
      }),
    ],
    last: connect(hopOf),
  });
}
