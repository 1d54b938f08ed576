/** The controller of a NetworkService: it registers the service. */
import { race } from "../../async/task-scope.ts";
import type { NetworkServiceResponse } from "../../api/gen/nsm/registry_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import type { AttachmentController } from "../../attachments/attachment-controller.ts";
import { networkServiceOf } from "./registry-entry.ts";
import { REQUEST_MS, type AgentParts } from "../../attachments/parts.ts";
import { Progress, type ProgressView } from "../../attachments/progress.ts";
import { retry } from "../../attachments/retry.ts";
import { serviceNews } from "./service-news.ts";
import type { NetworkServiceSpec } from "./spec.ts";

const AGAIN_MS = 500;

export class ServiceController implements AttachmentController {
  readonly workload = "";
  readonly connectionId = "";
  readonly endpointName = "";
  readonly wires: AttachmentController["wires"] = new Map();
  readonly #parts: AgentParts;
  readonly #progress: Progress;
  #spec: NetworkServiceSpec;
  #updated = Promise.withResolvers<void>();

  constructor(options: {
    readonly parts: AgentParts;
    readonly spec: NetworkServiceSpec;
    readonly onChange: (view: ProgressView) => void;
  }) {
    this.#parts = options.parts;
    this.#spec = options.spec;
    this.#progress = new Progress(options.parts.world.clock, options.onChange);
  }

  get spec(): NetworkServiceSpec {
    return this.#spec;
  }

  get view(): ProgressView {
    return this.#progress.view;
  }

  /**
   * Registers the service once; the manager's registry renews the registration. The provider of a service on another host
   * may later overwrite it with one without matches. Then this registers it again.
   */
  async run(scope: Scope): Promise<void> {
    const { services, world } = this.#parts;
    for (let round = 0; !scope.ended; round++) {
      const isUp = await retry(
        {
          world,
          scope,
          progress: this.#progress,
          what: `it registers ${this.#spec.name}`,
          purpose: `describe ${this.#spec.name}`,
          isDue: () => true,
          news: () => this.#updated.promise,
        },
        async () => {
          this.#updated = Promise.withResolvers();
          const deadlineMs = world.clock.monotonicMs() + REQUEST_MS;
          await services.request({ scope, deadlineMs }, networkServiceOf(this.#spec.document));
        },
      );
      if (isUp) this.#progress.up();
      const watching = scope.child(`watch service ${this.#spec.name}`);
      try {
        await race([this.#updated.promise, this.#isOverwritten(watching, round), scope.done]);
      } finally {
        await watching.end();
      }
    }
  }

  /** Resolves some time after the entry has lost its matches. The delay limits the load if two agents disagree. */
  async #isOverwritten(scope: Scope, round: number): Promise<void> {
    const { world } = this.#parts;
    const { name, document } = this.#spec;
    const isBare = ({ deleted, networkService }: NetworkServiceResponse): boolean =>
      !deleted && networkService?.matches.length === 0 && (document.spec?.matches ?? []).length > 0;
    await serviceNews(this.#parts, scope, name, isBare);
    if (scope.ended) return;
    const jitter = 0.5 + 0.5 * world.random.fraction(`describe ${name} again`, round);
    await world.clock.sleep(AGAIN_MS * jitter, scope);
  }

  update(spec: NetworkServiceSpec): boolean {
    this.#spec = spec;
    this.#updated.resolve();
    return true;
  }

  fail(error: NetloomError, delayMs: number): void {
    this.#progress.failed(error, delayMs);
  }

  leave(): void {
    this.#progress.closing();
  }

  async close(): Promise<void> {
    const { services, world } = this.#parts;
    const scope = world.scope.child(`unregister ${this.#spec.name}`, { timeoutMs: REQUEST_MS });
    try {
      const deadlineMs = world.clock.monotonicMs() + REQUEST_MS;
      await services.close({ scope, deadlineMs }, networkServiceOf(this.#spec.document));
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      world.log.warn("unregister a service has failed", { service: this.#spec.name, error: error.message });
    } finally {
      await scope.end();
    }
  }
}
