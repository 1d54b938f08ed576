/** The places of a lab's workloads: names of labs, hosts and workloads, and the namespace names derived from them. */
import { quote } from "../../text/problem.ts";
import { NETNS_DIRECTORY } from "../netns/netns.ts";

/** Lab, host and router names become parts of namespace names, which hyphens separate, and of interface names. */
export const LAB_NAME_PART = /^[a-z][a-z0-9]{0,11}$/;

export const WORKLOAD_NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** Prefix of all namespace names of a lab, and of no other lab's: names of labs have no hyphen. */
export function namespacePrefix(lab: string): string {
  return `nl-${lab}-`;
}

/** `nl-first-alpha`, and `nl-first-alpha-web` for the workload `alpha/web`. */
export function namespaceName(lab: string, place: string): string {
  return namespacePrefix(lab) + place.replace("/", "-");
}

/** The problem of a text as a sentence; `undefined` if it has the form `lab/host/workload`. */
export function labPlaceProblem(text: string): string | undefined {
  const [lab = "", host = "", workload = "", ...rest] = text.split("/");
  const isOne =
    LAB_NAME_PART.test(lab) && LAB_NAME_PART.test(host) && WORKLOAD_NAME.test(workload) && rest.length === 0;
  return isOne ? undefined : `${quote(text)} is not of the form lab/host/workload, such as demo/alpha/web`;
}

/** Path of the namespace of `lab/host/workload`. */
export function labPlacePath(text: string): string {
  const [lab = "", ...place] = text.split("/");
  return `${NETNS_DIRECTORY}/${namespaceName(lab, place.join("/"))}`;
}
