/** An endpoint of another make beside the agent of alpha, in `a2`: it registers at the agent's socket, and answers what it likes. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionContextSchema } from "../api/gen/nsm/connectioncontext_pb.js";
import { NetworkServiceEndpointSchema, NetworkServiceSchema } from "../api/gen/nsm/registry_pb.js";
import { serveConnections, stationsOver } from "../api/hops.ts";
import { serveAll } from "../api/rpc.ts";
import { connectionOf, type ConnectionElement } from "../elements/connection.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { endpointDevice } from "../elements/devices.ts";
import { mechanisms } from "../elements/mechanisms.ts";
import { MonitorBoard } from "../elements/monitor-board.ts";
import { timeout } from "../elements/timeout.ts";
import { updateToken } from "../elements/update-token.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Ports, World } from "../world/world.ts";

const URL = "unix:///run/strange.sock";

export class StrangeEndpoint {
  /** What it refuses every request with. */
  refusal: string | undefined;
  /** How long it thinks. */
  delayMs = 0;
  readonly #context: MessageInitShape<typeof ConnectionContextSchema>;
  readonly #isWatchable: boolean;

  constructor(
    options: {
      /** Its whole answer. Default: a pair of addresses. */
      readonly context?: MessageInitShape<typeof ConnectionContextSchema>;
      readonly watchable?: boolean;
    } = {},
  ) {
    this.#context = options.context ?? {
      ipContext: { srcIpAddrs: ["10.6.0.1/32"], dstIpAddrs: ["10.6.0.0/32"] },
    };
    this.#isWatchable = options.watchable ?? true;
  }

  /** For `AgentMesh`. */
  async serve({ world }: { readonly world: World & Pick<Ports, "hops"> }): Promise<void> {
    if (world.host !== "alpha") return;
    const door = new ConnectionDoor({
      world,
      name: "strange",
      identity: labIdentity(world),
      board: new MonitorBoard(),
      elements: [
        updateToken(labIdentity(world)),
        timeout(),
        mechanisms([
          endpointDevice({ place: { netns: "file:///run/netns/nl-lab-alpha-a2" }, nameOf: () => "strange0" }),
        ]),
        this.#answer(),
      ],
    });
    const [connections, ...monitors] = serveConnections(door);
    await world.hops.serve(
      URL,
      serveAll([connections, ...(this.#isWatchable ? monitors : [])].filter((each) => each !== undefined)),
    );
    const { endpoints, services } = stationsOver(world.hops.dial("unix:///run/alpha.sock"), world.clock);
    const own = create(NetworkServiceEndpointSchema, {
      name: "strange",
      url: URL,
      networkServiceNames: ["db"],
    });
    world.scope.spawn("keep the strange endpoint registered", async (scope) => {
      for (;;) {
        const call = { scope, deadlineMs: world.clock.monotonicMs() + 5_000 };
        await services.request(call, create(NetworkServiceSchema, { name: "db", payload: "ETHERNET" }));
        await endpoints.request(call, own);
        await world.clock.sleep(20_000, scope);
      }
    });
  }

  #answer(): ConnectionElement {
    return {
      name: "strange",
      request: async (call, request, next) => {
        await call.world.clock.sleep(this.delayMs, call.world.scope);
        if (this.refusal !== undefined) throw new NetloomError("UNAVAILABLE", this.refusal);
        connectionOf(request).context = create(ConnectionContextSchema, this.#context);
        return await next(request);
      },
    };
  }
}
