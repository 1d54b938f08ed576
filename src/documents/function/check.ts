import { checkWorkload, leadsTo } from "../../resolvers/workload-ref.ts";
import type { FilePath, Finding } from "../../text/problem.ts";
import { checkOffer } from "../fragments/check-offer.ts";
import { checkLabels } from "../fragments/labels.ts";
import { checkRegistered } from "../fragments/registered-labels.ts";
import { checkService } from "../fragments/service.ts";
import type { FunctionDocument } from "./schema.ts";
import { functionWish, typeNamed } from "./wish.ts";

export function checkFunction(document: FunctionDocument): Finding[] {
  const read = checkService(document.service, ["service"], noInterface);
  const labels = { ...read.labels, ...document.labels };
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...(leadsTo(document.workload) === "port" ? [isPort] : []),
    ...read.findings,
    ...checkLabels(labels, ["labels"]),
    ...(Object.keys(labels).length > 0 ? [] : [unlabelled]),
    ...checkOffer(document),
    ...typeNamed(document.type).check(document),
  ];
  return findings.length > 0 ? findings : checkRegistered(functionWish(document).labels);
}

const isPort: Readonly<Finding> = {
  path: ["workload"],
  message: "a function routes in a network namespace of its own, and a port is a device; name a namespace",
};

const unlabelled: Readonly<Finding> = {
  path: ["labels"],
  message: "a function needs a label: without one the service's matches cannot tell it from its clients",
};

function noInterface(_name: string, path: FilePath): Finding[] {
  return [{ path, message: "a function's devices are called in-… and out-…; leave the interface out" }];
}
