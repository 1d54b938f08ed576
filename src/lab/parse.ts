/** From the text of a lab file to a `Lab`, or to everything that is wrong with it: YAML, then shape, then meaning. */
import type { z } from "zod";
import { checkLab } from "./check.ts";
import type { LabParts } from "./findings.ts";
import type { Lab } from "./model.ts";
import { didYouMean, type Finding, LabFileError, listAlternatives, type Problem, quote } from "./problem.ts";
import { labSchema, partSchemas } from "./schema.ts";
import { readYaml } from "./source-map.ts";

export type ParseResult =
  | { readonly ok: true; readonly lab: Lab }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a lab file. Reports all problems at once, in the order of the file, and never throws. */
export function parseLab(text: string, file: string): ParseResult {
  const source = readYaml(text, file);
  if (source.data === undefined) return { ok: false, problems: inFileOrder(source.problems) };
  const shape = labSchema.safeParse(source.data, { reportInput: true });
  const findings = shape.success
    ? []
    : shape.error.issues.flatMap((issue) => describeIssue(issue, source.data));
  const checked = checkLab(shape.success ? partsOf(shape.data) : soundParts(source.data));
  findings.push(...checked.findings);
  const problems = [...source.problems, ...findings.map((finding) => source.locate(finding))];
  return problems.length === 0
    ? { ok: true, lab: checked.lab }
    : { ok: false, problems: inFileOrder(problems) };
}

/** Like `parseLab`, for those who can do nothing with a wrong file. Throws a `LabFileError`. */
export function mustParseLab(text: string, file: string): Lab {
  const result = parseLab(text, file);
  if (!result.ok) throw new LabFileError(result.problems);
  return result.lab;
}

function inFileOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter((problem) => {
      const identity = `${problem.line}:${problem.column}:${problem.path}:${problem.message}`;
      return !seen.has(identity) && seen.add(identity);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

function partsOf(file: z.infer<typeof labSchema>): LabParts {
  return {
    isWhole: true,
    name: file.name,
    hosts: new Map(
      Object.entries(file.hosts).map(([name, host]) => [name, { workloads: host?.workloads ?? [] }]),
    ),
    routers: file.routers ?? [],
    links: file.links ?? [],
    wires: file.wires ?? [],
  };
}

/** What of a wrong file can still be checked for its meaning; `undefined` in the place of what cannot. */
function soundParts(data: unknown): LabParts {
  const file = isRecord(data) ? data : {};
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const hosts = Object.entries(isRecord(file["hosts"]) ? file["hosts"] : {});
  return {
    isWhole: false,
    name: "lab",
    hosts: new Map(
      hosts.map(([name, value]) => {
        const host = parseSoundly(partSchemas.host, value);
        return [name, host === undefined ? undefined : { workloads: host?.workloads ?? [] }];
      }),
    ),
    routers: list(file["routers"]).filter((name) => typeof name === "string"),
    links: list(file["links"]).map((link) => parseSoundly(partSchemas.link, link)),
    wires: list(file["wires"]).map((wire) => parseSoundly(partSchemas.wire, wire)),
  };
}

/** Reads a map without the keys that are unknown or whose values are wrong; `undefined` if it needs one of those. */
function parseSoundly<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  const first = schema.safeParse(value);
  if (first.success) return first.data;
  if (!isRecord(value)) return undefined;
  const wrong = new Set(
    first.error.issues
      .flatMap((issue) => innermost(issue, []))
      .flatMap(({ issue, path }) =>
        path.length > 0 ? String(path[0]) : issue.code === "unrecognized_keys" ? issue.keys : [],
      ),
  );
  return schema.safeParse(Object.fromEntries(Object.entries(value).filter(([key]) => !wrong.has(key)))).data;
}

type Issue = z.core.$ZodIssue;

/** The issues behind an issue: of a choice, those of the alternative that the value comes nearest to. */
function innermost(issue: Issue, base: (string | number)[]): { issue: Issue; path: (string | number)[] }[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  if (issue.code !== "invalid_union") return [{ issue, path }];
  const nearest = issue.errors.find((issues) =>
    issues.every(({ code, path }) => code !== "invalid_type" || path.length > 0),
  );
  if (!nearest || nearest.every(({ code, path }) => code === "invalid_value" && path.length === 0))
    return [{ issue, path }];
  return nearest.flatMap((inner) => innermost(inner, path));
}

function describeIssue(outer: Issue, root: unknown): Finding[] {
  return innermost(outer, []).flatMap(({ issue, path }): Finding[] => {
    const value = valueAt(root, path);
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({
          path: [...path, key],
          atKey: true,
          message: `unknown key${didYouMean(key, keysAt(path)) || `; known here: ${keysAt(path).join(", ")}`}`,
        }));
      case "invalid_key":
        return issue.issues.map((inner) => ({ path, atKey: true, message: inner.message }));
      case "invalid_type":
        return [
          {
            path,
            message: value === undefined && path.length > 0 ? "is missing" : wrongType(issue.expected, value),
          },
        ];
      case "invalid_value": {
        const known = issue.values.map(String);
        const hint = typeof value === "string" ? didYouMean(value, known) : "";
        return [{ path, message: `expected ${listAlternatives(known)}, got ${describe(value)}${hint}` }];
      }
      case "invalid_union":
        return [{ path, message: `expected ${alternativesAt(path)}, got ${describe(value)}` }];
      case "too_small":
      case "too_big":
        if (issue.origin !== "array") return [{ path, message: `${issue.message}, not ${describe(value)}` }];
        return [
          { path, message: issue.message.startsWith("Too") ? "expected exactly two ends" : issue.message },
        ];
      default:
        return [{ path, message: `${describe(value)} does not fit: ${issue.message}` }];
    }
  });
}

function wrongType(expected: string, value: unknown): string {
  const names: Record<string, string> = {
    string: "text",
    array: "a list",
    tuple: "a list of two",
    object: "a map",
    record: "a map",
    int: "a whole number",
    number: "a number",
  };
  const quotes =
    expected === "string" && (typeof value === "number" || typeof value === "boolean")
      ? "; put it in quotes"
      : "";
  return `expected ${names[expected] ?? expected}, got ${describe(value)}${quotes}`;
}

/** What a choice without a near alternative may be. */
function alternativesAt(path: readonly (string | number)[]): string {
  if (path[0] === "links") return "a list of two ends such as [alpha, beta], or a map";
  if (path.at(-1) === "addresses") return 'one of "ipv4", "ipv6" or "dual", or a map';
  return "a prefix, or a map";
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return value.length === 1 ? "a list of one" : `a list of ${value.length}`;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  return "a map";
}

/** The keys of the map that stands at `path` in a lab file. */
function keysAt(path: readonly (string | number)[]): string[] {
  const pattern = path.map((part) => (typeof part === "number" ? "[]" : part)).join(".");
  if (pattern === "") return ["name", "hosts", "routers", "links", "wires"];
  if (/^hosts\.[^.]+$/.test(pattern)) return ["workloads"];
  if (pattern === "links.[]") return ["ends", "subnets", "addresses", "mtu", "rate", "delay", "loss"];
  if (pattern === "wires.[]")
    return ["client", "endpoint", "addresses", "routes", "policies", "mtu", "vni", "underlay"];
  if (pattern === "wires.[].policies.[]")
    return ["from", "protocol", "sourcePorts", "destinationPorts", "routes"];
  return pattern.includes("routes.") ? ["to", "via"] : ["client", "endpoint"];
}

function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const part of path)
    value = isRecord(value) || Array.isArray(value) ? (value as Record<string, unknown>)[part] : undefined;
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
