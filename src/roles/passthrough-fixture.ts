/**
 * A network function that passes traffic on: it answers for one wire, with addresses of its own, asks for the next one
 * along the same path, and routes between them. Upstream: sdk/pkg/networkservice/common/passthrough and the examples of
 * nse-composition.
 */
import { create } from "@bufbuild/protobuf";
import { copyMessage } from "../api/copy-message.ts";
import { MechanismSchema, type Connection } from "../api/gen/nsm/connection_pb.js";
import {
  ConnectionContextSchema,
  IPContextSchema,
  RouteSchema,
  type ConnectionContext,
} from "../api/gen/nsm/connectioncontext_pb.js";
import type { ConnectionHop } from "../api/hops.ts";
import { memoryKey } from "../chain/call.ts";
import { connect } from "../elements/connect.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "../elements/connection.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { followNext } from "../elements/discovery/follow-next.ts";
import { ipam } from "../elements/context/ipam.ts";
import { endpointDevice } from "../elements/wires/devices.ts";
import { preferenceFor } from "../mechanisms/list.ts";
import { mechanisms } from "../elements/mechanisms/mechanisms.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { NextHopMonitor } from "../elements/upkeep/next-hop-monitor.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { translateMechanism } from "../elements/mechanisms/translate-mechanism.ts";
import { updateToken } from "../elements/path/update-token.ts";
import { beginWire } from "../elements/wires/wire-id.ts";
import type { Netns } from "../kernel/kernel.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface PassthroughOptions extends RoleOptions {
  readonly netns: Netns;
  /** The manager of its host. */
  readonly next: ConnectionHop;
  /** Labels of its own requests, by which the service's matches lead on. */
  readonly labels: Readonly<Record<string, string>>;
  readonly pools: readonly (readonly string[])[];
}

/** Its devices are called `in-1`, and `out-1` towards the next station. */
export function passthrough(options: PassthroughOptions): ConnectionRole {
  const { world, name, identity, netns, next, pools } = options;
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
      mechanisms([endpointDevice({ place: { netns }, nameOf: () => "in-1" })]),
      ipam(name, { pools }),
      { name: "here", request: (call, request, on) => on(request, { ...call, nextUrl: "self:manager" }) },
      translateMechanism(),
      onward(options),
      followNext({
        monitor: new NextHopMonitor(world.scope, name),
        hopOf: () => next,
        onNotice: (call, id, notice) => board.relay(call, id, notice),
      }),
    ],
    last: connect(() => next),
  });
}

interface Beyond {
  readonly endpoint: string;
  readonly context: ConnectionContext | undefined;
}

const BEYOND = memoryKey<Beyond>("passthrough: beyond");

/** The next wire has a context, an endpoint and labels of its own; the client gets the routes to what is behind it. */
function onward({ netns, labels }: PassthroughOptions): ConnectionElement {
  return {
    name: "onward",
    async request(call, request, next) {
      const connection = connectionOf(request);
      beginWire(connection);
      const before = copyMessage(connection);
      const beyond = call.memory.get(BEYOND);
      connection.labels = { ...labels };
      connection.networkServiceEndpointName = beyond?.endpoint ?? "";
      connection.context =
        beyond?.context ?? create(ConnectionContextSchema, { ipContext: create(IPContextSchema) });
      addRoutes(ipContextOf(connection).dstRoutes, before.context?.ipContext?.srcIpAddrs);
      request.mechanismPreferences = [create(MechanismSchema, preferenceFor({ netns }, { name: "out-1" }))];
      const answer: Connection = await next(request);
      call.memory.set(BEYOND, {
        endpoint: answer.networkServiceEndpointName,
        context: answer.context && copyMessage(answer.context),
      });
      const far = answer.context?.ipContext?.dstIpAddrs;
      answer.labels = before.labels;
      answer.networkServiceEndpointName = before.networkServiceEndpointName;
      if (before.context) answer.context = before.context;
      addRoutes(ipContextOf(answer).srcRoutes, far);
      return answer;
    },
    async close(call, connection, next) {
      call.memory.delete(BEYOND);
      await next(connection);
    },
  };
}

function addRoutes(routes: { prefix: string }[], prefixes: readonly string[] = []): void {
  for (const prefix of prefixes)
    if (!routes.some((route) => route.prefix === prefix)) routes.push(create(RouteSchema, { prefix }));
}
