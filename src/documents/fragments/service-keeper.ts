/** Services that nobody has described: who offers one says what it is. */
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
import type { Ground, OfferWish } from "./offering.ts";
import { serviceNews, serviceQuery } from "../network-service/service-news.ts";

type Parts = Pick<AgentParts, "services" | "endpoints" | "world">;

interface KeptWish extends OfferWish {
  /** Of services that nobody has described. */
  readonly payload: string;
}

/** For one endpoint. What somebody else, or a NetworkService of this agent, says of a service is never changed. */
export class ServiceKeeper implements Ground<KeptWish> {
  readonly #parts: Parts;
  readonly #isDescribed: (service: string) => boolean;
  /** Registered here. */
  readonly #own = new Set<string>();
  #names: readonly string[] = [];

  /** `isDescribed`: this agent has a NetworkService for it, which registers it. */
  constructor(parts: Parts, isDescribed: (service: string) => boolean) {
    this.#parts = parts;
    this.#isDescribed = isDescribed;
  }

  /** Registers those of its services that the registry does not know. */
  async ensure(call: CallOptions, { services, payload }: KeptWish): Promise<void> {
    this.#names = services;
    for (const name of services) {
      const [known] = await this.#parts.services.find(call, serviceQuery(name, false)).all();
      if (known || this.#isDescribed(name)) continue;
      await this.#parts.services.request(call, create(NetworkServiceSchema, { name, payload }));
      this.#own.add(name);
    }
  }

  /** Resolves when one of them is taken away by somebody, or `scope` ends. */
  async isShaken(scope: Scope): Promise<void> {
    const gone = this.#names.map((name) => serviceNews(this.#parts, scope, name, ({ deleted }) => deleted));
    await race([...gone, scope.done]);
  }

  /** Unregisters what was registered here and nobody offers any more. */
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
