/** From the text of a lab file to a `Lab`, or to everything that is wrong with it: YAML, then shape, then meaning. */
import type { z } from "zod";
import { checkLab } from "./check.ts";
import type { HostParts, LabParts } from "./findings.ts";
import type { Lab } from "./model.ts";
import { checkShape, innermost, isRecord } from "../../text/check-shape.ts";
import { FileError, inFileOrder, type Problem } from "../../text/problem.ts";
import { readYaml } from "../../text/source-map.ts";
import { labSchema, partSchemas } from "./schema.ts";

export type ParsedLab =
  | { readonly ok: true; readonly lab: Lab }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a lab file. Reports all problems at once, in the order of the file, and never throws. */
export function parseLab(text: string, file: string): ParsedLab {
  const source = readYaml(text, file);
  if (source.data === undefined) return { ok: false, problems: inFileOrder(source.problems) };
  const shape = checkShape(labSchema, source.data);
  const checked = checkLab(shape.ok ? partsOf(shape.data) : soundParts(source.data));
  const findings = [...(shape.ok ? [] : shape.findings), ...checked.findings];
  const problems = [...source.problems, ...findings.map((finding) => source.locate(finding))];
  return problems.length === 0
    ? { ok: true, lab: checked.lab }
    : { ok: false, problems: inFileOrder(problems) };
}

/** INVALID_ARGUMENT with every problem of a lab file. */
export function labFileError(problems: readonly Problem[]): FileError {
  return new FileError(
    problems,
    "docs/reference/lab.md lists every key; docs/schema/lab.schema.json lets an editor check while you type",
  );
}

/** Like `parseLab`, for those who can do nothing with a wrong file. Throws a `FileError`. */
export function mustParseLab(text: string, file: string): Lab {
  const result = parseLab(text, file);
  if (!result.ok) throw labFileError(result.problems);
  return result.lab;
}

function partsOf(file: z.infer<typeof labSchema>): LabParts {
  return {
    isWhole: true,
    name: file.name,
    hosts: new Map(Object.entries(file.hosts).map(([name, host]) => [name, hostParts(host)])),
    routers: file.routers ?? [],
    links: file.links ?? [],
    wires: file.wires ?? [],
    registries: [file.registry ?? []].flat(),
    store: file.store,
    agents: file.agents ?? false,
    hostWorkloads: file.hostWorkloads ?? false,
    attachments: file.attachments ?? [],
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
        return [name, host === undefined ? undefined : hostParts(host)];
      }),
    ),
    routers: list(file["routers"]).filter((name) => typeof name === "string"),
    links: list(file["links"]).map((link) => parseSoundly(partSchemas.link, link)),
    wires: list(file["wires"]).map((wire) => parseSoundly(partSchemas.wire, wire)),
    registries: [file["registry"]].flat().filter((name) => typeof name === "string"),
    store: typeof file["store"] === "string" ? file["store"] : undefined,
    hostWorkloads: file["hostWorkloads"] === true,
    agents: file["agents"] === true || list(file["agents"]).filter((name) => typeof name === "string"),
    attachments: list(file["attachments"]).filter(isRecord),
  };
}

/** Reads a map without the keys that are unknown or whose values are wrong; `undefined` if it needs one of those. */
function parseSoundly<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  const first = schema.safeParse(value);
  if (first.success) return first.data;
  if (!isRecord(value)) return undefined;
  const wrong = new Set(
    first.error.issues
      .flatMap((issue) => innermost(issue))
      .flatMap(({ issue, path }) =>
        path.length > 0 ? String(path[0]) : issue.code === "unrecognized_keys" ? issue.keys : [],
      ),
  );
  return schema.safeParse(Object.fromEntries(Object.entries(value).filter(([key]) => !wrong.has(key)))).data;
}

function hostParts(host: z.infer<typeof partSchemas.host>): HostParts {
  return { workloads: host?.workloads ?? [], ports: host?.ports ?? {} };
}
