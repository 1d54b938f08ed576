/**
 * Moves connections whose endpoint the service no longer allows. Upstream: sdk/pkg/networkservice/common/netsvcmonitor
 */
import type { Log } from "../../observe/log.ts";
import { backoffMs } from "../../async/backoff.ts";
import { create } from "@bufbuild/protobuf";
import {
  type NetworkService,
  NetworkServiceQuerySchema,
  type NetworkServiceResponse,
} from "../../api/gen/nsm/registry_pb.js";
import { type Call, memoryKey } from "../../chain/call.ts";
import { type Labels, matchEndpoints } from "../../registry/matching/match.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import type { World } from "../../world/world.ts";
import { type ConnectionElement, connectionOf, nextSegment, ownSegment } from "../connection.ts";
import type { Registries } from "./discover.ts";
import { findEndpoints } from "./find.ts";
import { paced } from "../upkeep/paced.ts";
import { stationsOf } from "../wires/wire-id.ts";

export interface FollowServiceOptions {
  readonly world: World;
  readonly registries: Registries;
  /** Returns whether the known state of the registry is up to date. Default: true. */
  readonly isCurrent?: (() => boolean) | undefined;
}

/** A connection with its last answer. */
interface Held {
  readonly id: string;
  readonly service: string;
  readonly endpoint: string;
  /** The client's labels at the choice of the endpoint. */
  readonly labels: Labels;
  readonly trigger: Call["trigger"];
  readonly log: Log;
}

interface Followed {
  readonly held: Map<string, Held>;
  service: NetworkService | undefined;
  /** Number of the last change. A check that started with an older number stops. */
  changes: number;
  close: () => void;
}

const HELD = memoryKey<Held>("follow-service: held");
/** The client named this endpoint, so the matches do not count. */
const IS_PINNED = memoryKey<boolean>("follow-service: is pinned");
const FIND_MS = 5_000;

/**
 * For the first manager of a wire.
 *
 * Guarantees
 * - When a service changes so that its matches no longer lead a client to its endpoint, this element closes the
 *   connection. The client is notified and heals to an endpoint that they lead to. The same happens when a returning
 *   client requests such an endpoint. A client that named its endpoint in its first request keeps it.
 * - Each service with connections has one watch, and only a few connections are closed at once.
 * - A registry that is down or slow, or does not know the endpoint, closes no connection and delays no request.
 */
export function followService(options: FollowServiceOptions): ConnectionElement {
  const followers = new Followers(options);
  return {
    name: "follow-service",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const asked = connection.networkServiceEndpointName;
      const labels = { ...connection.labels };
      const isPinned = asked !== "" && (call.memory.get(IS_PINNED) ?? nextSegment(connection) === undefined);
      const answer = await next(request);
      call.memory.set(IS_PINNED, isPinned);
      const isFirst = stationsOf(answer)[1] === ownSegment(answer);
      const { id, networkService: service, networkServiceEndpointName: endpoint } = answer;
      const before = call.memory.get(HELD);
      if (before && (isPinned || before.service !== service)) followers.leave(before);
      if (isPinned || !isFirst) return answer;
      const held: Held = { id, service, endpoint, labels, trigger: call.trigger, log: call.log };
      call.memory.set(HELD, held);
      followers.hold(held, asked !== "");
      return answer;
    },
    async close(call, connection, next) {
      const held = call.memory.delete(HELD);
      if (held) followers.leave(held);
      await next(connection);
    },
  };
}

class Followers {
  readonly #options: FollowServiceOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(options: FollowServiceOptions) {
    this.#options = options;
  }

  /** `isToBeJudged`: check the endpoint, because the matches have not chosen it in this request. */
  hold(held: Held, isToBeJudged: boolean): void {
    const { scope } = this.#options.world;
    const known = this.#followed.get(held.service);
    const followed = known ?? { held: new Map(), service: undefined, changes: 0, close: () => undefined };
    followed.held.set(held.id, held);
    if (!known && !scope.ended) {
      this.#followed.set(held.service, followed);
      scope.spawn(`follow service ${held.service}`, (task) => this.#follow(held.service, followed, task));
    }
    if (isToBeJudged) this.#judge(followed, [held]);
  }

  leave({ id, service }: Held): void {
    const followed = this.#followed.get(service);
    followed?.held.delete(id);
    if (followed?.held.size === 0) followed.close();
  }

  async #follow(name: string, followed: Followed, scope: Scope): Promise<void> {
    const { world, registries } = this.#options;
    const query = create(NetworkServiceQuerySchema, { networkService: { name }, watch: true });
    const what = `follow service ${name}`;
    for (let failures = 0; followed.held.size > 0 && !scope.ended; failures++) {
      if (failures > 0) {
        const fraction = world.random.fraction(`follow service ${name}`, failures);
        await world.clock.sleep(backoffMs(failures, fraction), scope);
      }
      const watch = registries.services.find({ scope }, query);
      followed.close = () => watch.close();
      try {
        if (await this.#read(name, followed, watch.within(scope))) failures = 0;
        world.retries.over(what);
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        world.retries.failed(what, error);
      }
    }
    world.retries.over(what);
    this.#followed.delete(name);
  }

  /** Reads the watch. Returns whether it got an answer. */
  async #read(
    name: string,
    followed: Followed,
    answers: AsyncIterable<NetworkServiceResponse>,
  ): Promise<boolean> {
    let hasCome = false;
    for await (const news of answers) {
      if (news.networkService?.name !== name) continue;
      hasCome = true;
      followed.changes++;
      followed.service = news.deleted ? undefined : news.networkService;
      this.#judge(followed, [...followed.held.values()]);
    }
    return hasCome;
  }

  #judge(followed: Followed, connections: readonly Held[]): void {
    const { world, isCurrent = () => true } = this.#options;
    const { service, changes } = followed;
    if (!service || service.matches.length === 0 || world.scope.ended) return;
    const goesOn = (): boolean => followed.changes === changes && isCurrent();
    world.scope.spawn(`judge connections to ${service.name}`, async (scope) => {
      try {
        const unfit = goesOn() ? await this.#unfit(service, connections, scope) : [];
        await paced(unfit, { clock: world.clock, scope, goesOn }, (held) => {
          const isDue = (): boolean => goesOn() && followed.held.get(held.id) === held;
          world.scope.spawn(`close connection ${held.id}`, () => closeDue(held, isDue));
        });
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        world.log.debug("the connections of a service cannot be checked now; its next change checks them", {
          service: service.name,
          error: error.message,
        });
      }
    });
  }

  /** The connections whose endpoint is known and no longer fits. */
  async #unfit(service: NetworkService, connections: readonly Held[], scope: Scope): Promise<Held[]> {
    const { world, registries } = this.#options;
    const find = scope.child("find endpoints", { timeoutMs: FIND_MS });
    try {
      const call = { world, scope: find, deadlineMs: world.clock.monotonicMs() + FIND_MS };
      const [only] = connections.length === 1 ? connections : [];
      const query = only ? { name: only.endpoint } : { networkServiceNames: [service.name] };
      const found = await findEndpoints(call, registries.endpoints, query);
      const endpoints = new Map(found.map((each) => [each.name, each]));
      return connections.filter(({ endpoint, labels }) => {
        const own = endpoints.get(endpoint);
        return own !== undefined && matchEndpoints(labels, service, [own]).length === 0;
      });
    } finally {
      await find.end();
    }
  }
}

/**
 * Closes the connection. At a station that the close does not reach, the connection expires. The client is notified in
 * both cases.
 */
async function closeDue({ trigger, log }: Held, isDue: () => boolean): Promise<void> {
  try {
    await trigger.close({ isDue });
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    log.debug("a close has not reached every station; there the connection expires", {
      error: error.message,
    });
  }
}
