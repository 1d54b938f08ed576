/** Checks data against a schema and describes each mismatch for people: the fault, its place, and a suggestion. */
import type { z } from "zod";
import { didYouMean, type Finding, listAlternatives, quote } from "./problem.ts";

export type ShapeResult<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/** Checks `data`. A union names its alternatives for messages with `.meta({ alternatives: "a prefix, or a map" })`. */
export function checkShape<T>(schema: z.ZodType<T>, data: unknown): ShapeResult<T> {
  const result = schema.safeParse(data, { reportInput: true });
  if (result.success) return { ok: true, data: result.data };
  const findings = result.error.issues.flatMap((issue) => describeIssue(issue, schema, data));
  return { ok: false, findings };
}

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;
type Path = readonly (string | number)[];

/** Flattens an issue: replaces a failed union by the issues of the alternative nearest to the value. */
export function innermost(
  issue: Issue,
  base: Path = [],
): { readonly issue: Issue; readonly path: (string | number)[] }[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  if (issue.code !== "invalid_union") return [{ issue, path }];
  const nearest = issue.errors.find((issues) =>
    issues.every(({ code, path }) => code !== "invalid_type" || path.length > 0),
  );
  if (!nearest || nearest.every(({ code, path }) => code === "invalid_value" && path.length === 0))
    return [{ issue, path }];
  return nearest.flatMap((inner) => innermost(inner, path));
}

function describeIssue(outer: Issue, schema: Schema, root: unknown): Finding[] {
  return innermost(outer).flatMap(({ issue, path }): Finding[] => {
    const value = valueAt(root, path);
    switch (issue.code) {
      case "unrecognized_keys": {
        const known = knownKeys(schema, path);
        return issue.keys.map((key) => ({
          path: [...path, key],
          atKey: true,
          message:
            key === "<<"
              ? "merge keys are YAML 1.1, and netloom reads YAML 1.2; write the keys out"
              : `unknown key${didYouMean(key, known) || `; known here: ${known.join(", ")}`}`,
        }));
      }
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
        return [{ path, message: `expected ${alternativesAt(schema, path)}, got ${describe(value)}` }];
      case "too_small":
      case "too_big":
        if (issue.origin !== "array") return [{ path, message: `${issue.message}, not ${describe(value)}` }];
        return [
          { path, message: issue.message.startsWith("Too") ? "expected exactly two ends" : issue.message },
        ];
      case "custom":
        return [{ path, message: issue.message }];
      case "invalid_element":
      case "invalid_format":
      case "not_multiple_of":
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

/** Describes a value of a file in a few words. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return value.length === 1 ? "a list of one" : `a list of ${value.length}`;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  return "a map";
}

/** The keys allowed in the map at `path`, over all alternatives of a union. */
function knownKeys(schema: Schema, path: Path): string[] {
  const keys = schemasAt(schema, path).flatMap((each) => {
    const { def } = each._zod;
    return def.type === "object" ? Object.keys((def as z.core.$ZodObjectDef).shape) : [];
  });
  // Keys such as `$schema` are for editors.
  return [...new Set(keys)].filter((key) => !key.startsWith("$"));
}

function alternativesAt(schema: Schema, path: Path): string {
  for (const each of chainsAt(schema, path).flat()) {
    const meta = (each as z.ZodType).meta?.();
    if (typeof meta?.["alternatives"] === "string") return meta["alternatives"];
  }
  return "something else";
}

/** The schemas allowed at `path`, without wrappers such as optional. */
function schemasAt(schema: Schema, path: Path): Schema[] {
  return chainsAt(schema, path).flatMap((chain) => chain.slice(-1));
}

/** As `schemasAt`, with the wrappers, outermost first: one list for each alternative. */
function chainsAt(schema: Schema, path: Path): Schema[][] {
  const [part, ...rest] = path;
  const chains = unwrap(schema);
  if (part === undefined) return chains;
  return chains.flatMap((chain) => {
    const child = childOf(chain.at(-1), part);
    return child ? chainsAt(child, rest) : [];
  });
}

function unwrap(schema: Schema): Schema[][] {
  const { def } = schema._zod;
  if (def.type === "union")
    return (def as z.core.$ZodUnionDef).options.flatMap((option) =>
      unwrap(option).map((chain) => [schema, ...chain]),
    );
  if (def.type === "optional" || def.type === "nullable" || def.type === "default")
    return unwrap((def as z.core.$ZodOptionalDef).innerType).map((chain) => [schema, ...chain]);
  return [[schema]];
}

function childOf(schema: Schema | undefined, part: string | number): Schema | undefined {
  const def = schema?._zod.def;
  if (def?.type === "object") return (def as z.core.$ZodObjectDef).shape[part];
  if (def?.type === "record") return (def as z.core.$ZodRecordDef).valueType;
  if (def?.type === "array") return (def as z.core.$ZodArrayDef).element;
  return def?.type === "tuple" ? (def as z.core.$ZodTupleDef).items[Number(part)] : undefined;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path)
    value = isRecord(value) || Array.isArray(value) ? (value as Record<string, unknown>)[part] : undefined;
  return value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
