/** The name of a service in documents: a plain name, or an address as upstream writes it. */
import { z } from "zod";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { checkInterface } from "./interface-name.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { isNsUrl, parseNsUrl, serviceNameProblem } from "./nsurl.ts";

export const serviceSchema = z
  .string()
  .describe("Name of the service, or an address such as kernel://service/interface?label=value.");

/** The parts of a name or an address; a missing part is empty. */
export interface NamedService {
  readonly service: string;
  readonly interface: string;
  readonly labels: Labels;
}

/** Checks `text`, which stands at `path`. `findings` has all problems; the other fields hold the parts that could be read. */
export function checkService(
  text: string,
  path: FilePath,
  checkName: (name: string, path: FilePath) => Finding[] = checkInterface,
): NamedService & { readonly findings: Finding[] } {
  const none = { service: text, interface: "", labels: {} };
  if (!isNsUrl(text)) {
    const problem = namedProblem(text);
    return {
      ...none,
      findings: problem === undefined ? [] : [{ path, message: `${quote(text)}: ${problem}` }],
    };
  }
  const result = parseNsUrl(text);
  if (!result.ok) return { ...none, findings: [{ path, message: `${quote(text)}: ${result.problem}` }] };
  const { mechanism, service, interface: name, labels } = result.url;
  const findings = name === "" ? [] : checkName(name, path);
  if (service.includes("@")) findings.push({ path, message: `${quote(text)}: ${OTHER_DOMAIN}` });
  if (mechanism !== "kernel")
    findings.push({ path, message: `the mechanism ${quote(mechanism)} is not supported here; use kernel` });
  return { findings, service, interface: name, labels };
}

const OTHER_DOMAIN = "services of other domains cannot be reached yet; name one of this domain";

function namedProblem(service: string): string | undefined {
  return serviceNameProblem(service) ?? (service.includes("@") ? OTHER_DOMAIN : undefined);
}

/** The parts of a service's name or address in a checked document. */
export function readService(text: string): NamedService {
  if (!isNsUrl(text)) return { service: text, interface: "", labels: {} };
  const result = parseNsUrl(text);
  if (!result.ok) throw new TypeError(`${text}: ${result.problem}: not a checked document`);
  return result.url;
}
