import type { ContextOptions } from "../../elements/context/endpoint-context.ts";
import type { Passage } from "../../elements/wires/onward.ts";
import { guardContext } from "../../elements/wires/wire-guard.ts";
import { FUNCTIONS } from "../../functions/functions.ts";
import type { FunctionType } from "../../functions/function-type.ts";
import type { Labels } from "../../registry/matching/match.ts";
import type { OfferWish } from "../fragments/offering.ts";
import { poolGroups } from "../fragments/pools.ts";
import { readService } from "../fragments/service.ts";
import type { FunctionDocument } from "./schema.ts";

/** What a Function means. */
export interface FunctionWish extends OfferWish {
  readonly document: FunctionDocument;
  readonly service: string;
  /** Of the function, and of what it asks for. */
  readonly ownLabels: Labels;
  readonly pools: readonly (readonly string[])[];
  readonly excludedPrefixes: readonly string[];
  readonly context: ContextOptions;
  readonly passage: Passage;
}

export function functionWish(document: FunctionDocument): FunctionWish {
  const { kind, name, workload, mtu, guard } = document;
  const { service, labels } = readService(document.service);
  const ownLabels = { ...labels, ...document.labels };
  return {
    kind,
    name,
    document,
    services: [service],
    workload,
    service,
    ownLabels,
    labels: new Map([[service, ownLabels]]),
    pools: poolGroups(document.pools),
    excludedPrefixes: document.excludedPrefixes ?? [],
    context: { ...(mtu !== undefined && { mtuBytes: mtu }), extra: guardContext(guard) },
    passage: typeNamed(document.type).passage(document),
  };
}

/** Of a document that has been read. */
export function typeNamed(name: string): FunctionType {
  const found = FUNCTIONS.find(({ type }) => type === name);
  if (!found) throw new TypeError(`there is no function of type ${name}: not a checked document`);
  return found;
}
