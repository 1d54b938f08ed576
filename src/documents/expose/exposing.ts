/**
 * An Expose at work: a workload of this host, the endpoint that answers for it, and its registration.
 *
 *   waiting ──workload──> requesting ──registered──> up
 *      └──── the workload is gone: its wires are closed, its registration is taken back ────┘
 */
import type { ConnectionRole } from "../../roles/role.ts";
import { race } from "../../async/task-scope.ts";
import { create } from "@bufbuild/protobuf";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import {
  NetworkServiceEndpointSchema,
  NetworkServiceLabelsSchema,
  type NetworkServiceEndpoint,
} from "../../api/gen/nsm/registry_pb.js";
import { wireIdOf } from "../../elements/wires/wire-id.ts";
import { smallerMtu } from "../../mechanisms/parameters.ts";
import { hash64 } from "../../net/hash.ts";
import { formatPrefix } from "../../net/ip.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { WorkloadPlace } from "../../mechanisms/mechanism-type.ts";
import type { Scope } from "../../async/scope.ts";
import { atWorkload } from "../../attachments/at-workload.ts";
import type { Attached } from "../../attachments/attached.ts";
import { REQUEST_MS, type AgentParts } from "../../attachments/parts.ts";
import { placeOf } from "../../attachments/place-of.ts";
import { Progress, type ProgressView } from "../../attachments/progress.ts";
import { retry } from "../../attachments/retry.ts";
import { ServiceKeeper } from "./service-keeper.ts";
import type { ExposeWish } from "./wish.ts";
import type { Presence } from "../../resolvers/workload-watch.ts";
import type { Workload, Workloads } from "../../attachments/workloads.ts";

export interface ExposingOptions {
  readonly parts: AgentParts;
  readonly workloads: Workloads;
  readonly wish: ExposeWish;
  /** Has this agent a description of that service? */
  readonly isDescribed: (service: string) => boolean;
  readonly onChange: (view: ProgressView) => void;
}

export class Exposing implements Attached {
  readonly connectionId = "";
  readonly #options: ExposingOptions;
  readonly #progress: Progress;
  readonly #workload: Workload;
  readonly #services: ServiceKeeper;
  #wish: ExposeWish;
  #role: ConnectionRole | undefined;
  #takeBack: () => void = () => undefined;
  #registered: NetworkServiceEndpoint | undefined;

  constructor(options: ExposingOptions) {
    const { parts, wish, workloads } = options;
    this.#options = options;
    this.#wish = wish;
    this.#progress = new Progress(parts.world.clock, options.onChange);
    this.#workload = workloads.use(wish.workload);
    this.#services = new ServiceKeeper(parts, options.isDescribed);
  }

  get wish(): ExposeWish {
    return this.#wish;
  }

  /** `db.beta`: unique in the mesh, because hosts are. */
  get endpointName(): string {
    return `${this.#wish.name}.${this.#options.parts.world.host}`;
  }

  get view(): ProgressView {
    return this.#progress.view;
  }

  get workload(): string {
    return this.#workload.label;
  }

  get whyDown(): string | undefined {
    return this.#workload.condition?.whyDown;
  }

  get wireIds(): readonly string[] {
    return (this.#role?.established() ?? []).map(wireIdOf);
  }

  async run(scope: Scope): Promise<void> {
    const [workload, progress] = [this.#workload, this.#progress];
    await atWorkload({ workload, progress, scope }, async (presence) => {
      const place = placeOf(presence.found);
      if (!place.port) await this.#options.parts.wires.look(place.netns);
      this.#serve(place);
      if (await this.#register(presence, scope)) await this.#changes(presence, scope);
      if (!scope.ended && workload.presence !== presence) await this.#withdraw();
    });
  }

  /** Labels change at once, and so does what clients get, for new wires and for those that are up. */
  update(wish: ExposeWish): boolean {
    if (!isSameServer(wish, this.#wish)) return false;
    const isGiven = givenBy(wish) === givenBy(this.#wish);
    this.#wish = wish;
    this.#updated.resolve();
    if (!isGiven) this.#role?.requestRefresh();
    return true;
  }

  #updated = Promise.withResolvers<void>();

  fail(error: NetloomError, delayMs: number): void {
    this.#progress.failed(error, delayMs);
  }

  leave(): void {
    this.#progress.closing();
  }

  async close(): Promise<void> {
    await this.#withdraw();
    await this.#attempt("take back a service", (scope) => this.#services.takeBack(scope));
    this.#workload.release();
  }

  /** Once for each workload: who calls it at another station than before takes that for another endpoint. */
  #serve(place: WorkloadPlace): void {
    if (this.#role) return;
    const { parts } = this.#options;
    const { pools, addressPolicy, routerAdvertisements } = this.#wish;
    this.#role = parts.newEndpoint({
      name: this.endpointName,
      place,
      interfaceName: (connection) => this.#interfaceName(connection),
      addresses:
        pools.length === 0
          ? undefined
          : {
              pools,
              policy: addressPolicy,
              excluded: async (wireId) => [
                ...this.#wish.excludedPrefixes,
                // What is behind a port is nobody's to know.
                ...(place.port ? [] : await parts.claims.held(place.netns, wireId)).map(formatPrefix),
              ],
            },
      clientRoutes: () => this.#wish.acceptRoutes,
      routerAdvertisements,
      context: () => ({
        ...this.#wish.context,
        mtuBytes: smallerMtu(this.#wish.context.mtuBytes ?? 0, this.#workload.condition?.mtuBytes ?? 0),
      }),
    });
    this.#takeBack = parts.offer(this.endpointName, this.#role);
  }

  /** The same for a wire in every life of this agent, so that a restart finds its device. */
  #interfaceName(connection: Connection): string {
    // One that people have written has been checked, and is taken as it is.
    const prefix =
      this.#wish.interfacePrefix ?? connection.networkService.replaceAll(/[^A-Za-z0-9_.-]/g, "").slice(0, 10);
    const digits = (hash64(`interface ${wireIdOf(connection)}`) % 36n ** 4n).toString(36).padStart(4, "0");
    return `${prefix}-${digits}`;
  }

  async #register(presence: Presence, scope: Scope): Promise<boolean> {
    const { world, endpoints } = this.#options.parts;
    return await retry(
      {
        world,
        scope,
        progress: this.#progress,
        what: `it registers ${this.endpointName}`,
        purpose: `expose ${this.endpointName}`,
        isDue: () => this.#workload.presence === presence,
        news: (nap) => this.#workload.changed(presence, nap),
      },
      async () => {
        this.#updated = Promise.withResolvers();
        const call = { scope, deadlineMs: world.clock.monotonicMs() + REQUEST_MS };
        await this.#services.ensure(call, this.#wish.services, this.#wish.payload);
        this.#registered = await endpoints.request(call, this.#registration());
      },
    );
  }

  #registration(): NetworkServiceEndpoint {
    return create(NetworkServiceEndpointSchema, {
      name: this.endpointName,
      url: `self:${this.endpointName}`,
      networkServiceNames: [...this.#wish.services],
      networkServiceLabels: Object.fromEntries(
        [...this.#wish.labels].map(([service, labels]) => [
          service,
          create(NetworkServiceLabelsSchema, { labels }),
        ]),
      ),
    });
  }

  /** Resolves when the workload is another one, or the wish has changed, or one of its services is gone. */
  async #changes(presence: Presence, scope: Scope): Promise<void> {
    const nap = scope.child("serve");
    try {
      await race<unknown>([
        this.#follow(presence, nap),
        this.#updated.promise,
        this.#services.isMissing(nap),
      ]);
    } finally {
      await nap.end();
    }
  }

  /** Says how it is until the workload is another one. A port that carries more or less has its clients ask again. */
  async #follow(presence: Presence, scope: Scope): Promise<void> {
    const workload = this.#workload;
    while (workload.presence === presence) {
      const { condition } = workload;
      if (condition?.whyDown === undefined) this.#progress.up();
      else this.#progress.waiting(condition.whyDown);
      await workload.turned(presence, condition, scope);
      if (workload.condition?.mtuBytes !== condition?.mtuBytes) this.#role?.requestRefresh();
    }
  }

  async #withdraw(): Promise<void> {
    const { parts } = this.#options;
    const { endpoints, world } = parts;
    const [role, registered] = [this.#role, this.#registered];
    this.#role = undefined;
    this.#registered = undefined;
    if (registered) {
      await this.#attempt("unregister an endpoint", (scope) =>
        endpoints.close({ scope, deadlineMs: world.clock.monotonicMs() + REQUEST_MS }, registered),
      );
    }
    // From here on nobody gets in, and who is thrown out finds no way back.
    this.#takeBack();
    await Promise.all(
      (role?.established() ?? []).map((connection) =>
        this.#attempt("close a wire of an endpoint", async () => {
          await parts.dropWire(wireIdOf(connection));
          await role?.drop(connection.id);
        }),
      ),
    );
  }

  async #attempt(what: string, task: (scope: Scope) => Promise<void>): Promise<void> {
    const { world } = this.#options.parts;
    const scope = world.scope.child(what, { timeoutMs: REQUEST_MS });
    try {
      await task(scope);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      world.log.warn(`${what} has failed; it expires`, { endpoint: this.endpointName, error: error.message });
    } finally {
      await scope.end();
    }
  }
}

/** What an answer depends on, beside the pools. */
function givenBy({ context, excludedPrefixes, acceptRoutes }: ExposeWish): string {
  return JSON.stringify([context, excludedPrefixes, acceptRoutes]);
}

/** Is it the same endpoint, with other words about it? Pools and devices of established wires cannot be exchanged. */
function isSameServer(a: ExposeWish, b: ExposeWish): boolean {
  const text = (wish: ExposeWish): string => {
    const { name, workload, interfacePrefix, pools, addressPolicy, routerAdvertisements } = wish;
    return JSON.stringify([name, workload, interfacePrefix, pools, addressPolicy, routerAdvertisements]);
  };
  return text(a) === text(b);
}
