import { checkWorkload, leadsTo } from "../../resolvers/workload-ref.ts";
import { type FilePath, type Finding, within } from "../../text/problem.ts";
import { checkOffer } from "../fragments/check-offer.ts";
import { checkLabels, LABELS } from "../fragments/labels.ts";
import { checkRegistered } from "../fragments/registered-labels.ts";
import { checkService } from "../fragments/service.ts";
import type { ServiceFunctionDocument } from "./schema.ts";
import { serviceFunctionSpec, typeNamed } from "./spec.ts";

export function checkServiceFunction(document: ServiceFunctionDocument): Finding[] {
  const { metadata, spec } = document;
  const read = checkService(spec.service, ["service"], noInterface);
  const labels = { ...read.labels, ...metadata.labels };
  const findings = [
    ...within("spec", [
      ...checkWorkload(spec.workload, ["workload"]),
      ...(leadsTo(spec.workload) === "port" ? [isPort] : []),
      ...read.findings,
      ...checkOffer({ name: metadata.name, ...spec }),
      ...typeNamed(spec.type).check(spec),
    ]),
    ...checkLabels(labels, LABELS),
    ...(Object.keys(labels).length > 0 ? [] : [unlabelled]),
  ];
  return findings.length > 0 ? findings : checkRegistered(serviceFunctionSpec(document).labels);
}

const isPort: Readonly<Finding> = {
  path: ["workload"],
  message: "a function routes in a network namespace of its own, and a port is a device; name a namespace",
};

const unlabelled: Readonly<Finding> = {
  path: LABELS,
  message:
    "a function needs a label: without one the service's matches cannot distinguish it from its clients",
};

function noInterface(_name: string, path: FilePath): Finding[] {
  return [{ path, message: "a function's devices are called in-… and out-…; leave the interface out" }];
}
