/** Checks that the matches of a service lead from a function to another endpoint, not back to the function. */
import { create } from "@bufbuild/protobuf";
import {
  NetworkServiceEndpointSchema,
  NetworkServiceLabelsSchema,
  type NetworkService,
} from "../../api/gen/nsm/registry_pb.js";
import type { CallOptions } from "../../api/hops.ts";
import type { AgentParts } from "../../attachments/parts.ts";
import type { Spec } from "../../attachments/spec.ts";
import { race } from "../../async/task-scope.ts";
import type { Scope } from "../../async/scope.ts";
import { withClientInfo } from "../../elements/context/client-info.ts";
import { NetloomError } from "../../errors/errors.ts";
import { matchEndpoints, type Labels } from "../../registry/matching/match.ts";
import type { Finding } from "../../text/problem.ts";
import type { Ground } from "../fragments/offer-controller.ts";
import { LABELS } from "../fragments/labels.ts";
import { networkServiceOf } from "../network-service/registry-entry.ts";
import { serviceNews, serviceQuery } from "../network-service/service-news.ts";
import type { NetworkServiceSpec } from "../network-service/spec.ts";
import { networkService } from "../network-service/words.ts";
import type { ServiceFunctionSpec } from "./spec.ts";

/** Labels that a host adds. Before it has, matches that use them cannot be checked. */
const ADDED = ["nodeName", "podName", "clusterName"] as const;

/** A function is registered while a NetworkService describes its service, with matches that lead on from the function. */
export class LeadsOn implements Ground<ServiceFunctionSpec> {
  readonly #parts: Pick<AgentParts, "services" | "world" | "labels">;
  #service = "";

  constructor(parts: Pick<AgentParts, "services" | "world" | "labels">) {
    this.#parts = parts;
  }

  async ensure(call: CallOptions, { service, ownLabels, name }: ServiceFunctionSpec): Promise<void> {
    this.#service = service;
    const [found] = await this.#parts.services.find(call, serviceQuery(service, false)).all();
    const known = found?.networkService;
    const hint = `write a NetworkService ${service} with a match for ${labelText(ownLabels)}, before the one that leads to it`;
    if (!known)
      throw new NetloomError(
        "NOT_FOUND",
        `offer ${name}: no NetworkService describes the service ${service}`,
        {
          topic: "NL-303",
          hint,
        },
      );
    const problem = leadsBack(known, withClientInfo(ownLabels, this.#parts.labels));
    if (problem !== undefined)
      throw new NetloomError("FAILED_PRECONDITION", `offer ${name}: ${problem}`, { topic: "NL-407", hint });
  }

  /** Resolves at any change of the service, which may be the one waited for, or when `scope` ends. */
  async isShaken(scope: Scope): Promise<void> {
    let isFirst = true;
    await race([
      scope.done,
      serviceNews(this.#parts, scope, this.#service, () => {
        // The first message is the current entry, which is known already.
        const isNews = !isFirst;
        isFirst = false;
        return isNews;
      }),
    ]);
  }

  takeBack(): Promise<void> {
    return Promise.resolve();
  }
}

/** Does the check before registration, with a NetworkService among `others`. `undefined` if it cannot decide yet. */
export function leadsBackBeside(
  { service, ownLabels }: ServiceFunctionSpec,
  others: readonly Spec[],
): Finding | undefined {
  const described = others.find(({ kind, name }) => kind === networkService.kind && name === service);
  if (!described) return undefined;
  const entry = networkServiceOf((described as NetworkServiceSpec).document);
  const selectors = entry.matches.flatMap(({ sourceSelector, routes }) => [
    sourceSelector,
    ...routes.map((route) => route.destinationSelector),
  ]);
  if (selectors.some((selector) => ADDED.some((label) => Object.hasOwn(selector, label)))) return undefined;
  const problem = leadsBack(entry, ownLabels);
  return problem === undefined ? undefined : { path: LABELS, message: problem };
}

/** A sentence without its full stop if the matches lead back to the function; else `undefined`. */
function leadsBack(service: NetworkService, labels: Labels): string | undefined {
  const own = create(NetworkServiceEndpointSchema, {
    name: "own",
    networkServiceLabels: { [service.name]: create(NetworkServiceLabelsSchema, { labels: { ...labels } }) },
  });
  if (matchEndpoints(labels, service, [own]).length === 0) return undefined;
  return service.matches.length === 0
    ? `the service ${service.name} has no matches: every client gets any endpoint, and the function itself again`
    : `the matches of ${service.name} lead clients with ${labelText(labels)} back to the function itself; add a match that leads on`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
