/**
 * The controller of a workload of this host that offers services: the role that answers for it, and its registration. For
 * all kinds with an endpoint.
 *
 *   waiting ──workload──> requesting ──registered──> up
 *      └──── the workload is gone: its wires are closed, its registration is removed ───────┘
 */
import type { ConnectionRole } from "../../roles/role.ts";
import { race } from "../../async/task-scope.ts";
import { create } from "@bufbuild/protobuf";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { NetworkServiceEndpointSchema, type NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { wireIdOf } from "../../elements/wires/wire-id.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { WorkloadPlace } from "../../mechanisms/mechanism-type.ts";
import type { Scope } from "../../async/scope.ts";
import { atWorkload } from "../../attachments/at-workload.ts";
import type { AttachmentController } from "../../attachments/attachment-controller.ts";
import { REQUEST_MS, type AgentParts } from "../../attachments/parts.ts";
import { placeOf } from "../../attachments/place-of.ts";
import { Progress, type ProgressView } from "../../attachments/progress.ts";
import { retry } from "../../attachments/retry.ts";
import type { CallOptions } from "../../api/hops.ts";
import type { Side } from "../../mechanisms/side.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { registeredFor } from "./registered-labels.ts";
import type { Presence } from "../../resolvers/workload-watch.ts";
import type { Workload, Workloads } from "../../attachments/workloads.ts";
import type { Spec } from "../../attachments/spec.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";

/** A spec to offer services. */
export interface OfferSpec extends Spec {
  readonly workload: WorkloadRef;
  /** Labels of the endpoint, by service. */
  readonly labels: ReadonlyMap<string, Labels>;
}

/** A condition of the services that must hold before the endpoint is registered. */
export interface Ground<W extends OfferSpec> {
  /** Makes the condition hold. Throws the reason if it does not. */
  ensure(call: CallOptions, spec: W): Promise<void>;
  /** Resolves when the condition may have changed, or `scope` ends. */
  isShaken(scope: Scope): Promise<void>;
  /** Undoes `ensure`: the condition is not needed any more. */
  takeBack(scope: Scope): Promise<void>;
}

export interface OfferControllerOptions<W extends OfferSpec> {
  readonly parts: AgentParts;
  readonly workloads: Workloads;
  readonly spec: W;
  readonly ground: Ground<W>;
  readonly onChange: (view: ProgressView) => void;
  /** The service that the workload itself requests. Default: none. */
  readonly asks?: (spec: W) => NonNullable<AttachmentController["asks"]>;
  /** Makes the role that answers for the workload; it lives as long as the workload. `spec` returns the current spec. */
  readonly serve: (offer: {
    readonly name: string;
    readonly place: WorkloadPlace;
    readonly workload: string;
    readonly spec: () => W;
    /** The MTU of the workload if it is a port; else 0. */
    readonly portMtuBytes: () => number;
  }) => ConnectionRole;
  /** The wires that belong to a connection of the role. */
  readonly wiresOf: (connection: Connection) => readonly (readonly [id: string, end: Side])[];
  /** Whether a changed spec can be taken over without closing anything. */
  readonly isSame: (a: W, b: W) => boolean;
  /** The parts of the spec that answers depend on, as text. If it changes, clients are notified to request again. */
  readonly givenBy: (spec: W) => string;
}

export class OfferController<W extends OfferSpec> implements AttachmentController {
  readonly connectionId = "";
  readonly #options: OfferControllerOptions<W>;
  readonly #progress: Progress;
  readonly #workload: Workload;
  #spec: W;
  #role: ConnectionRole | undefined;
  #takeBack: () => void = () => undefined;
  #registered: NetworkServiceEndpoint | undefined;

  constructor(options: OfferControllerOptions<W>) {
    const { parts, spec, workloads } = options;
    this.#options = options;
    this.#spec = spec;
    this.#progress = new Progress(parts.world.clock, options.onChange);
    this.#workload = workloads.use(spec.workload);
  }

  get spec(): W {
    return this.#spec;
  }

  get asks(): NonNullable<AttachmentController["asks"]> | undefined {
    return this.#options.asks?.(this.#spec);
  }

  /** `db.beta`: unique in the mesh, because host names are. */
  get endpointName(): string {
    return `${this.#spec.name}.${this.#options.parts.world.host}`;
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

  get wires(): AttachmentController["wires"] {
    return new Map((this.#role?.established() ?? []).flatMap(this.#options.wiresOf));
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

  /** Changed labels and changed answers apply at once, to new wires and to those that are up. */
  update(spec: W): boolean {
    const { isSame, givenBy } = this.#options;
    if (!isSame(spec, this.#spec)) return false;
    const isGiven = givenBy(spec) === givenBy(this.#spec);
    this.#spec = spec;
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
    await this.#attempt("unregister a service", (scope) => this.#options.ground.takeBack(scope));
    this.#workload.release();
  }

  /** Makes the role once for each workload: for callers, a new station would be another endpoint. */
  #serve(place: WorkloadPlace): void {
    if (this.#role) return;
    const { parts, serve } = this.#options;
    const name = this.endpointName;
    this.#role = serve({
      name,
      place,
      workload: this.#workload.label,
      spec: () => this.#spec,
      portMtuBytes: () => this.#workload.condition?.mtuBytes ?? 0,
    });
    this.#takeBack = parts.offer(name, this.#role);
  }

  async #register(presence: Presence, scope: Scope): Promise<boolean> {
    const { ground, parts } = this.#options;
    const { world, endpoints } = parts;
    return await retry(
      {
        world,
        scope,
        progress: this.#progress,
        what: `it registers ${this.endpointName}`,
        purpose: `offer ${this.endpointName}`,
        isDue: () => this.#workload.presence === presence,
        news: (nap) =>
          race<unknown>([this.#workload.changed(presence, nap), this.#updated.promise, ground.isShaken(nap)]),
      },
      async () => {
        this.#updated = Promise.withResolvers();
        const call = { scope, deadlineMs: world.clock.monotonicMs() + REQUEST_MS };
        await ground.ensure(call, this.#spec);
        this.#registered = await endpoints.request(call, this.#registration());
      },
    );
  }

  #registration(): NetworkServiceEndpoint {
    return create(NetworkServiceEndpointSchema, {
      name: this.endpointName,
      url: `self:${this.endpointName}`,
      ...registeredFor(this.#spec.labels),
    });
  }

  /** Resolves when the workload, the spec or the ground changes. */
  async #changes(presence: Presence, scope: Scope): Promise<void> {
    const nap = scope.child("serve");
    try {
      await race<unknown>([
        this.#follow(presence, nap),
        this.#updated.promise,
        this.#options.ground.isShaken(nap),
      ]);
    } finally {
      await nap.end();
    }
  }

  /** Reports the state until the workload changes. If the MTU of a port changes, the clients are notified to request again. */
  async #follow(presence: Presence, scope: Scope): Promise<void> {
    const workload = this.#workload;
    while (workload.presence === presence) {
      const { condition } = workload;
      if (condition?.whyDown === undefined) this.#progress.up();
      else this.#progress.linkDown(condition.whyDown);
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
    // From here on the endpoint takes no requests, so that a client whose wire is closed cannot return.
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
