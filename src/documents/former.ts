/**
 * Documents of release 0.1.0 and the documents that replace them, as plain data.
 *
 *   kind: Connect            apiVersion: netloom.dev/v1alpha1
 *   name: web-db             kind: NetworkServiceClient
 *   labels: { app: web }  →  metadata: { name: web-db, labels: { app: web } }
 *   service: db              spec: { service: db }
 */
import { Document, type YAMLMap } from "yaml";
import type { Document as NetloomDocument } from "../attachments/spec.ts";
import { isRecord } from "../text/check-shape.ts";
import { UPSTREAM_API_VERSION } from "./api-version.ts";
import { migrateLab, migrateMap } from "./former-tree.ts";
import { rename, reversed, SUCCESSORS } from "./successors.ts";

type Data = Readonly<Record<string, unknown>>;

/** The reason why a document of release 0.1.0 is refused. */
export const FORMER_DOCUMENT = "this is a document of release 0.1.0; netloom migrate FILE converts the file";

/** Keys that release 0.1.0 does not know. */
const LATER_KEYS: readonly string[] = ["guard", "dhcp"];

/** Whether plain data is a document of release 0.1.0. */
export function isFormer(data: Data): boolean {
  const { kind, name, apiVersion } = data;
  return (
    apiVersion === undefined &&
    name !== undefined &&
    typeof kind === "string" &&
    Object.hasOwn(SUCCESSORS, kind)
  );
}

/** Whether plain data is a lab of release 0.1.0. */
export function isFormerLab(data: Data): boolean {
  return data["apiVersion"] === undefined && data["kind"] === undefined && isRecord(data["hosts"]);
}

/** The document that replaces one of release 0.1.0, as plain data. `notes` gets a sentence for each key that is left out. */
export function fromFormer(data: Data, notes: string[] = []): unknown {
  return isFormer(data) ? new Document(migrateMap(treeOf(data), data["kind"], notes)).toJS() : data;
}

/** The documents that replace a lab of release 0.1.0: the Lab, and those beside it. */
export function fromFormerLab(data: Data): unknown[] {
  const { lab, beside } = migrateLab(treeOf(data), kindsOf(data["attachments"]), []);
  return [lab, ...beside].map((map): unknown => new Document(map).toJS());
}

/** The kinds of the attachments of a lab of release 0.1.0. */
export function kindsOf(attachments: unknown): unknown[] {
  return Array.isArray(attachments) ? attachments.map((each) => isRecord(each) && each["kind"]) : [];
}

function treeOf(data: Data): YAMLMap {
  return new Document().createNode(data, { aliasDuplicateObjects: false });
}

/**
 * The document of release 0.1.0 with the same meaning, as far as that release can express it. A document of that release, which an agent
 * keeps without understanding it, stays as it is.
 */
export function toFormer(document: NetloomDocument): object {
  if (isFormer({ ...document })) return document;
  const { apiVersion, kind, metadata, spec } = document;
  const found = Object.entries(SUCCESSORS).find(
    ([, successor]) => successor.apiVersion === apiVersion && successor.kind === kind,
  );
  if (!found) throw new TypeError(`release 0.1.0 has no kind for ${apiVersion} ${kind}`);
  const [former, { renamed }] = found;
  const isUpstreams = apiVersion === UPSTREAM_API_VERSION;
  // Release 0.1.0 requires the labels of a function, even if they are empty.
  const labels = isUpstreams ? undefined : (metadata.labels ?? (former === "Function" ? {} : undefined));
  const isKnown = (key: string): boolean => !LATER_KEYS.includes(key) && !(isUpstreams && key === "name");
  const kept = Object.entries(spec ?? {}).filter(([key]) => isKnown(key));
  const tree = treeOf(withoutEmpty(Object.fromEntries(kept)) as Data);
  for (const each of renamed) rename(tree, reversed(each));
  return {
    kind: former,
    name: metadata.name,
    ...(labels && { labels }),
    ...(new Document(tree).toJS() as object),
  };
}

/** A copy without empty values. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutEmpty(each)]));
}
