/** Reads the text of a lab file to a `Lab`, or to a list of all problems: YAML, then shape, then meaning. */
import type { z } from "zod";
import { checkLab } from "./check.ts";
import type { HostParts, LabParts, WireDocument } from "./findings.ts";
import type { Lab } from "./model.ts";
import { API_VERSION } from "../../documents/api-version.ts";
import { isFormerLab } from "../../documents/former.ts";
import { migrateText } from "../../documents/migrate.ts";
import { checkShape, describe, innermost, isRecord } from "../../text/check-shape.ts";
import { FileError, type Finding, inFileOrder, type Problem } from "../../text/problem.ts";
import { readYamlStream, type SourceMap } from "../../text/source-map.ts";
import { labSchema, partSchemas, wireSchema } from "./schema.ts";

export type ParsedLab =
  | { readonly ok: true; readonly lab: Lab }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a lab file: a Lab, and its wires or the documents for its agents. Reports all problems in file order. Never throws. */
export function parseLab(text: string, file: string): ParsedLab {
  const sources = readYamlStream(text, file);
  const known = sources.filter(({ data }) => data !== undefined);
  const labs = known.filter((source) => isLab(source.data));
  const [lab] = labs;
  if (!lab) {
    const problems = [
      ...sources.flatMap((each) => each.problems),
      ...(known[0] ? [noLab(known[0], file)] : []),
    ];
    return { ok: false, problems: problems.length > 0 ? inFileOrder(problems) : [emptyFile(file)] };
  }
  const others = known.filter((source) => !labs.includes(source));
  const beside = readBeside(others);
  const shape = checkShape(labSchema, lab.data);
  const checked = checkLab({ ...(shape.ok ? partsOf(shape.data) : soundParts(lab.data)), ...beside });
  const second = labs
    .slice(1)
    .map((each) => each.locate({ path: ["kind"], message: "a file holds one Lab" }));
  const problems = [
    ...sources.flatMap((each) => each.problems),
    ...(shape.ok ? [] : shape.findings.map((finding) => lab.locate(finding))),
    ...beside.problems,
    ...checked.findings.map(({ document, ...finding }) =>
      document === undefined
        ? lab.locate({ ...finding, path: ["spec", ...finding.path] })
        : (others[document] ?? lab).locate(finding),
    ),
    ...second,
  ];
  return problems.length === 0
    ? { ok: true, lab: checked.lab }
    : { ok: false, problems: inFileOrder(problems) };
}

/** Whether a document is meant as a lab, even with mistakes. */
function isLab(data: unknown): boolean {
  if (!isRecord(data)) return false;
  const { kind, spec } = data;
  return kind === "Lab" || (kind === undefined && isRecord(spec) && spec["hosts"] !== undefined);
}

function noLab(source: SourceMap, file: string): Problem {
  if (isRecord(source.data) && isFormerLab(source.data))
    return source.locate({
      path: [],
      message: "this is a lab of release 0.1.0; netloom migrate FILE converts the file",
    });
  if (!isRecord(source.data))
    return source.locate({ path: [], message: `expected a map, got ${describe(source.data)}` });
  const message = `the file has no Lab: write apiVersion: ${API_VERSION} and kind: Lab`;
  return { file, line: 1, column: 1, path: "", message };
}

function emptyFile(file: string): Problem {
  return { file, line: 1, column: 1, path: "", message: "the file is empty" };
}

/** Reads the file of a lab that is up. Release 0.1.0 may have written it. */
export function parseKeptLab(text: string, file: string): ParsedLab {
  const migrated = migrateText(text);
  return parseLab(migrated.ok ? migrated.text : text, file);
}

/** Like `parseKeptLab`. Throws a `FileError`. */
export function mustParseKeptLab(text: string, file: string): Lab {
  return orThrow(parseKeptLab(text, file));
}

/** INVALID_ARGUMENT with every problem of a lab file. */
export function labFileError(problems: readonly Problem[]): FileError {
  return new FileError(
    problems,
    "docs/reference/lab.md lists every key; with the output of netloom schema, editors check while you type",
  );
}

/** Like `parseLab`. Throws a `FileError` for a wrong file. */
export function mustParseLab(text: string, file: string): Lab {
  return orThrow(parseLab(text, file));
}

function orThrow(result: ParsedLab): Lab {
  if (!result.ok) throw labFileError(result.problems);
  return result.lab;
}

/** The wires, and the other documents. */
function readBeside(
  others: readonly SourceMap[],
): Pick<LabParts, "wires" | "documents"> & { readonly problems: readonly Problem[] } {
  const all = others.map((source, index) => ({ source, index, data: source.data }));
  const isWire = ({ data }: { readonly data: unknown }): boolean => isRecord(data) && data["kind"] === "Wire";
  const read = all.filter(isWire).map(({ source, index }) => ({ source, ...wireOf(source.data, index) }));
  return {
    wires: read.map(({ wire }) => wire),
    documents: all.filter((each) => !isWire(each)),
    problems: read.flatMap(({ source, findings }) => findings.map((finding) => source.locate(finding))),
  };
}

/** A Wire, as far as its shape is right. */
function wireOf(
  data: unknown,
  index: number,
): { readonly wire: WireDocument; readonly findings: readonly Finding[] } {
  const shape = checkShape(wireSchema, data);
  if (shape.ok) {
    const { metadata, spec } = shape.data;
    return { wire: { index, name: metadata.name, spec }, findings: [] };
  }
  const { metadata, spec: given } = isRecord(data) ? data : {};
  const name = isRecord(metadata) && typeof metadata["name"] === "string" ? metadata["name"] : "";
  const spec = parseSoundly(partSchemas.wire, given);
  return { wire: { index, name, ...(spec && { spec }) }, findings: shape.findings };
}

/** The parts of the Lab itself. */
type OwnParts = Omit<LabParts, "wires" | "documents">;

function partsOf({ metadata, spec }: z.infer<typeof labSchema>): OwnParts {
  return {
    isWhole: true,
    name: metadata.name,
    hosts: new Map(Object.entries(spec.hosts).map(([name, host]) => [name, hostParts(host)])),
    routers: spec.routers ?? [],
    links: spec.links ?? [],
    registries: [spec.registry ?? []].flat(),
    store: spec.store,
    agents: spec.agents ?? false,
    hostWorkloads: spec.hostWorkloads ?? false,
  };
}

/** The parts of a wrong file that can still be checked. Other parts are `undefined`. */
function soundParts(data: unknown): OwnParts {
  const spec = isRecord(data) && isRecord(data["spec"]) ? data["spec"] : {};
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const hosts = Object.entries(isRecord(spec["hosts"]) ? spec["hosts"] : {});
  return {
    isWhole: false,
    name: "lab",
    hosts: new Map(
      hosts.map(([name, value]) => {
        const host = parseSoundly(partSchemas.host, value);
        return [name, host === undefined ? undefined : hostParts(host)];
      }),
    ),
    routers: list(spec["routers"]).filter((name) => typeof name === "string"),
    links: list(spec["links"]).map((link) => parseSoundly(partSchemas.link, link)),
    registries: [spec["registry"]].flat().filter((name) => typeof name === "string"),
    store: typeof spec["store"] === "string" ? spec["store"] : undefined,
    hostWorkloads: spec["hostWorkloads"] === true,
    agents: spec["agents"] === true || list(spec["agents"]).filter((name) => typeof name === "string"),
  };
}

/** Reads a map without its unknown keys and wrong values; `undefined` if a required key is among them. */
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
