/**
 * The controller of a NetworkServiceClient: a workload of this host, and its wire to a service.
 *
 * ```
 *   waiting ──workload──> requesting ──answer──> up <──> healing        (the client role heals)
 *      ^                    │    ^                │
 *      │                  failed─┘ backoff        │
 *      └──────────────── the workload is gone ────┘ the wire is closed as lost: its address stays reserved
 * ```
 */
import type { ClientNews } from "../../roles/client.ts";
import { race } from "../../async/task-scope.ts";
import { create } from "@bufbuild/protobuf";
import {
  ConnectionSchema,
  MechanismSchema,
  State,
  type Connection,
  type Mechanism,
} from "../../api/gen/nsm/connection_pb.js";
import { ConnectionContextSchema, IPContextSchema } from "../../api/gen/nsm/connectioncontext_pb.js";
import {
  NetworkServiceRequestSchema,
  type NetworkServiceRequest,
} from "../../api/gen/nsm/networkservice_pb.js";
import { copyMessage } from "../../api/copy-message.ts";
import type { Incoming } from "../../world/hops.ts";
import { SELF } from "../../world/peer.ts";
import { viaLabel } from "../../elements/discovery/via.ts";
import { preferenceFor } from "../../mechanisms/list.ts";
import { COMMON, smallerMtu } from "../../mechanisms/parameters.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import { atWorkload } from "../../attachments/at-workload.ts";
import type { AttachmentController } from "../../attachments/attachment-controller.ts";
import { checkAnswer } from "./check-answer.ts";
import type { UsedClient } from "../../attachments/clients.ts";
import type { AttachmentLife, Tools } from "../../attachments/kind.ts";
import { refText } from "../../attachments/spec.ts";
import { REQUEST_MS } from "../../attachments/parts.ts";
import { placeOf } from "../../attachments/place-of.ts";
import { Progress, type ProgressView } from "../../attachments/progress.ts";
import { endpointComes } from "./endpoint-comes.ts";
import { retry } from "../../attachments/retry.ts";
import type { ClientSpec } from "./spec.ts";
import type { There } from "../../resolvers/workload-watch.ts";
import type { Workload } from "../../attachments/workloads.ts";

/** The number of tries with the endpoint of the last answer. After them any endpoint is accepted. */
const SAME_WAY_TRIES = 3;

export class ClientController implements AttachmentController {
  readonly spec: ClientSpec;
  readonly connectionId: string;
  readonly endpointName = "";
  readonly asks: NonNullable<AttachmentController["asks"]>;
  readonly #tools: Tools;
  readonly #progress: Progress;
  readonly #workload: Workload;
  readonly #client: UsedClient;
  readonly #unguard: () => void;
  readonly #unread: () => void;
  #answer: Connection | undefined;
  #isEstablished = false;
  #giveInterfaceBack: () => void = () => undefined;

  constructor(spec: ClientSpec, tools: Tools, { connectionId, answer, onChange }: AttachmentLife) {
    const { parts, workloads, clients } = tools;
    this.#tools = tools;
    this.spec = spec;
    this.connectionId = connectionId;
    this.asks = { service: spec.service, labels: spec.labels };
    this.#answer = answer;
    this.#progress = new Progress(parts.world.clock, onChange);
    this.#workload = workloads.use(spec.workload);
    this.#client = clients.use(this.#workload, connectionId, (news) => this.#hear(news));
    this.#unguard = parts.wires.guard(connectionId, (wire) => checkAnswer(spec, wire));
    this.#unread = parts.wires.onReachability(connectionId, (reachability) =>
      this.#progress.prove(reachability),
    );
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
    return new Map(this.#isEstablished ? [[this.connectionId, "client"]] : []);
  }

  async run(scope: Scope): Promise<void> {
    const [workload, progress] = [this.#workload, this.#progress];
    await atWorkload({ workload, progress, scope }, async (presence) => {
      if (!(await this.#bring(presence, scope))) return;
      await this.#stay(presence, scope);
      await this.#close("lost");
    });
  }

  /** Runs until the workload changes. The MTU of a port limits the wire, and the state of the port decides the state shown. */
  async #stay(presence: There, scope: Scope): Promise<void> {
    const workload = this.#workload;
    while (workload.presence === presence) {
      const { condition } = workload;
      await workload.turned(presence, condition, scope);
      if (workload.presence !== presence) return;
      if (workload.condition?.mtuBytes !== condition?.mtuBytes) await this.#bring(presence, scope);
      else if (this.#isEstablished) this.#sayUp();
    }
  }

  #sayUp(): void {
    const { whyDown } = this.#workload.condition ?? {};
    if (whyDown === undefined) this.#progress.up();
    else this.#progress.linkDown(whyDown);
  }

  update(_spec: ClientSpec): boolean {
    return false;
  }

  fail(error: NetloomError, delayMs: number): void {
    this.#progress.failed(error, delayMs);
  }

  leave(): void {
    this.#progress.closing();
  }

  async close(): Promise<void> {
    await this.#close("asked");
    this.#tools.answers.dropAnswer(this.connectionId);
    this.#client.release();
    this.#unguard();
    this.#unread();
    this.#workload.release();
  }

  /** Requests the wire until an endpoint answers. False if the workload changes meanwhile. */
  async #bring(presence: There, scope: Scope): Promise<boolean> {
    const { parts, turnstile } = this.#tools;
    const { spec } = this;
    const isDue = (): boolean => this.#workload.presence === presence;
    return await retry(
      {
        world: parts.world,
        scope,
        progress: this.#progress,
        what: `it requests ${spec.service}`,
        purpose: `connect ${this.connectionId}`,
        isDue,
        news: async (nap, error) =>
          await race<unknown>([
            this.#workload.changed(presence, nap),
            lacksEndpoint(error) ? endpointComes(parts, spec.service, nap) : nap.done,
          ]),
      },
      async (n) =>
        await turnstile.pass(scope, async () => {
          if (!isDue()) throw new NetloomError("ABORTED", `connect ${spec.name}: its workload has changed`);
          this.#giveInterfaceBack();
          this.#giveInterfaceBack = this.#tools.interfaces.take(presence.found, spec);
          try {
            await this.#makeWay(presence);
            const request = this.#request(presence, n <= SAME_WAY_TRIES);
            this.#take(await this.#client.role.request(this.#caller(scope), request));
          } catch (error) {
            this.#giveInterfaceBack();
            throw error;
          }
        }),
    );
  }

  /** Finds the wires that an earlier agent left in the workload, and removes the one that has this wire's interface. */
  async #makeWay({ found }: There): Promise<void> {
    const { parts, wantedBy } = this.#tools;
    const name = this.spec.interface;
    const netns = found.type === "port" ? "host" : found.identity.netns;
    if (netns !== "host") await parts.wires.look(netns);
    if (name === undefined) return;
    const { connectionId } = this;
    await parts.wires.makeWay(netns, name, { connectionId, wantedBy: (id) => wantedBy(id, name) });
  }

  #take(answer: Connection): void {
    this.#answer = answer;
    this.#isEstablished = true;
    this.#tools.answers.keepAnswer(answer);
    this.#sayUp();
  }

  #hear({ state, reason = "", error, connection }: ClientNews): void {
    if (state === "closed") return;
    if (state === "healing") {
      if (this.#isEstablished) this.#progress.healing(reason, error);
    } else if (this.#isEstablished) this.#take(connection);
  }

  /** The request. With `sameWay` it names the endpoint of the last answer. */
  #request({ found }: There, sameWay: boolean): NetworkServiceRequest {
    const { spec } = this;
    const kept = this.#kept();
    const connection = kept ? copyMessage(kept) : create(ConnectionSchema, { id: this.connectionId });
    const name = spec.interface ?? kept?.mechanism?.parameters[COMMON.name] ?? "";
    const preference = preferenceFor(placeOf(found), { name, ...spec.trust });
    if (!sameWay || !isOf(preference, kept?.mechanism)) delete connection.mechanism;
    connection.state = State.UP;
    connection.networkService = spec.service;
    connection.labels = { ...spec.labels, ...viaLabel(spec.via) };
    connection.networkServiceEndpointName =
      spec.endpoint || (sameWay && kept ? kept.networkServiceEndpointName : "");
    const context = (connection.context ??= create(ConnectionContextSchema));
    // The request does not repeat the MTU of the last answer: a port or path that carries more now gives more.
    context.MTU = smallerMtu(spec.mtuBytes, this.#workload.condition?.mtuBytes ?? 0);
    const ip = (context.ipContext ??= create(IPContextSchema));
    ip.excludedPrefixes = [...spec.excludedPrefixes];
    return create(NetworkServiceRequestSchema, {
      connection,
      mechanismPreferences: [create(MechanismSchema, preference)],
    });
  }

  /** The last answer, if it belongs to this spec and this workload. */
  #kept(): Connection | undefined {
    const kept = this.#answer;
    const first = kept?.path?.pathSegments[0];
    const isOurs = first?.id === this.connectionId && first.name === this.#workload.name;
    return isOurs && kept?.networkService === this.spec.service && kept.path?.index === 0 ? kept : undefined;
  }

  async #close(reason: "asked" | "lost"): Promise<void> {
    const { parts } = this.#tools;
    const { spec } = this;
    const answer = this.#answer;
    const wasEstablished = this.#isEstablished;
    this.#isEstablished = false;
    const scope = parts.world.scope.child(`close ${spec.name}`, { timeoutMs: REQUEST_MS });
    try {
      if (wasEstablished && answer) {
        const closed = copyMessage(answer);
        if (reason === "lost") closed.state = State.DOWN;
        await this.#client.role.close(this.#caller(scope), closed);
      } else if (reason === "asked") {
        // An earlier agent process may have made the wire.
        await parts.wires.remove(this.connectionId);
      }
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      parts.world.log.warn("not every station has closed a wire; the rest expires", {
        attachment: refText(spec),
        wire: this.connectionId,
        error: error.message,
      });
    } finally {
      this.#giveInterfaceBack();
      await scope.end();
    }
  }

  #caller(scope: Scope): Incoming {
    return { scope, deadlineMs: this.#tools.parts.world.clock.monotonicMs() + REQUEST_MS, peer: SELF };
  }
}

/** Whether a new registration may end the failure. An upstream manager gives no reason: then the code decides. */
function lacksEndpoint({ code, reason }: NetloomError): boolean {
  if (!reason) return code === "NOT_FOUND";
  return ["SERVICE_NOT_FOUND", "ENDPOINT_NOT_FOUND", "NO_CANDIDATE"].includes(reason.name);
}

/** Whether both mechanisms mean the same device in the same workload. */
function isOf(
  { type, parameters }: Pick<Mechanism, "type" | "parameters">,
  answered: Mechanism | undefined,
): boolean {
  const wanted = Object.entries(parameters);
  return answered?.type === type && wanted.every(([key, value]) => answered.parameters[key] === value);
}
