/** Registers services that no NetworkService describes. The provider of such a service chooses its payload. */
import { race } from "../../async/task-scope.ts";
import { create } from "@bufbuild/protobuf";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
  NetworkServiceSchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { CallOptions } from "../../api/hops.ts";
import type { Scope } from "../../async/scope.ts";
import { type AgentParts, REQUEST_MS } from "../../attachments/parts.ts";
import type { Ground, OfferSpec } from "./offer-controller.ts";
import { serviceNews, serviceQuery } from "../network-service/service-news.ts";

type Parts = Pick<AgentParts, "services" | "endpoints" | "world">;

interface KeptSpec extends OfferSpec {
  /** Payload of services that no NetworkService describes. */
  readonly payload: string;
}

/** Works for one endpoint. It never changes a service that others, or a NetworkService of this agent, have registered. */
export class ServiceKeeper implements Ground<KeptSpec> {
  readonly #parts: Parts;
  readonly #isDescribed: (service: string) => boolean;
  /** Names of the services that this object registered. */
  readonly #own = new Set<string>();
  #names: readonly string[] = [];

  /** `isDescribed`: whether this agent has a NetworkService document for the service, which registers it. */
  constructor(parts: Parts, isDescribed: (service: string) => boolean) {
    this.#parts = parts;
    this.#isDescribed = isDescribed;
  }

  /** Registers the endpoint's services that the registry does not know. */
  async ensure(call: CallOptions, { services, payload }: KeptSpec): Promise<void> {
    this.#names = services;
    for (const name of services) {
      const [known] = await this.#parts.services.find(call, serviceQuery(name, false)).all();
      if (known || this.#isDescribed(name)) continue;
      await this.#parts.services.request(call, create(NetworkServiceSchema, { name, payload }));
      this.#own.add(name);
    }
  }

  /** Resolves when one of the services is unregistered, or `scope` ends. */
  async isShaken(scope: Scope): Promise<void> {
    const gone = this.#names.map((name) => serviceNews(this.#parts, scope, name, ({ deleted }) => deleted));
    await race([...gone, scope.done]);
  }

  /** Unregisters the services that this object registered and that no endpoint offers any more. */
  async takeBack(scope: Scope): Promise<void> {
    const call: CallOptions = { scope, deadlineMs: this.#parts.world.clock.monotonicMs() + REQUEST_MS };
    for (const name of this.#own) {
      const query = create(NetworkServiceEndpointQuerySchema, {
        networkServiceEndpoint: create(NetworkServiceEndpointSchema, { networkServiceNames: [name] }),
      });
      const [other] = await this.#parts.endpoints.find(call, query).all();
      if (!other && !this.#isDescribed(name))
        await this.#parts.services.close(call, create(NetworkServiceSchema, { name }));
      this.#own.delete(name);
    }
  }
}
