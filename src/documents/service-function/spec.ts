import type { ContextOptions } from "../../elements/context/endpoint-context.ts";
import type { Passage } from "../../elements/wires/onward.ts";
import { guardContext } from "../../elements/wires/wire-guard.ts";
import { FUNCTIONS } from "../../functions/functions.ts";
import type { FunctionType } from "../../functions/function-type.ts";
import type { Labels } from "../../registry/matching/match.ts";
import type { OfferSpec } from "../fragments/offer-controller.ts";
import { poolGroups } from "../fragments/pools.ts";
import { readService } from "../fragments/service.ts";
import type { ServiceFunctionDocument } from "./schema.ts";

/** The meaning of a ServiceFunction. */
export interface ServiceFunctionSpec extends OfferSpec {
  readonly document: ServiceFunctionDocument;
  readonly service: string;
  /** Labels of the function, also for the next wire that it requests. */
  readonly ownLabels: Labels;
  readonly pools: readonly (readonly string[])[];
  readonly excludedPrefixes: readonly string[];
  readonly context: ContextOptions;
  readonly passage: Passage;
}

export function serviceFunctionSpec(document: ServiceFunctionDocument): ServiceFunctionSpec {
  const { kind, metadata, spec } = document;
  const { workload, mtu, guard } = spec;
  const { service, labels } = readService(spec.service);
  const ownLabels = { ...labels, ...metadata.labels };
  return {
    kind,
    name: metadata.name,
    document,
    services: [service],
    workload,
    service,
    ownLabels,
    labels: new Map([[service, ownLabels]]),
    pools: poolGroups(spec.pools),
    excludedPrefixes: spec.excludedPrefixes ?? [],
    context: { ...(mtu !== undefined && { mtuBytes: mtu }), extra: guardContext(guard) },
    passage: typeNamed(spec.type).passage(spec),
  };
}

/** The function type with this name. Throws a TypeError for an unknown type: the document must have been checked. */
export function typeNamed(name: string): FunctionType {
  const found = FUNCTIONS.find(({ type }) => type === name);
  if (!found) throw new TypeError(`there is no function of type ${name}: not a checked document`);
  return found;
}
