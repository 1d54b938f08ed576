/**
 * Converts YAML syntax trees of release 0.1.0 documents to trees of the documents that replace them. Nodes are
 * reused, with their comments.
 */
import { isMap, isNode, isScalar, isSeq, Pair, Scalar, YAMLMap } from "yaml";
import { API_VERSION, HOST_ANNOTATION } from "./api-version.ts";
import { metadataLabelsSchema } from "./fragments/metadata-labels.ts";
import { formatNsUrl, isNsUrl, parseNsUrl } from "./fragments/nsurl.ts";
import { attachmentName } from "./command.ts";
import { pairOf, rename, SUCCESSORS, takingPlace, textOf, WIRE_RENAMED } from "./successors.ts";

/** The parts of a resource, in the order in which they were written. */
interface Parts {
  readonly apiVersion: string;
  readonly kind: Pair;
  readonly forEditors: Pair[];
  readonly metadata: Pair[];
  readonly spec: Pair[];
}

/** Converts one document. `kind` is the kind of the former document. `notes` gets a sentence for each key that is left out. */
export function migrateMap(former: YAMLMap, kind: unknown, notes: string[]): YAMLMap {
  const written = pairOf(former, "kind");
  const successor = typeof kind === "string" ? SUCCESSORS[kind] : undefined;
  if (!written || !successor) throw new TypeError(`${String(kind)} is not a kind of release 0.1.0`);
  written.value = takingPlace(written.value, successor.kind);
  const parts: Parts = {
    apiVersion: successor.apiVersion,
    kind: written,
    forEditors: [],
    metadata: [],
    spec: [],
  };
  for (const pair of former.items) {
    const key = textOf(pair.key);
    if (key === "$schema") parts.forEditors.push(withSchema(pair));
    else if (key === "name" || key === "labels") parts.metadata.push(pair);
    else if (key === "host") parts.metadata.push(hostAnnotation(pair));
    else if (key === "dns" && kind === "Expose")
      notes.push(
        `dns of ${textOf(former.get("name", true))} is left out: no agent sets name servers in its workloads yet`,
      );
    else if (key !== "kind") parts.spec.push(pair);
  }
  moveOddLabels(parts);
  const migrated = resourceOf(former, parts);
  for (const each of successor.renamed) rename(migrated.get("spec"), each);
  if (parts.spec.length === 0 && kind === "NetworkService") migrated.delete("spec");
  return migrated;
}

/** The documents of a migrated lab: the lab itself, and beside it one for each of its wires and attachments. */
export interface MigratedLab {
  readonly lab: YAMLMap;
  readonly beside: readonly YAMLMap[];
}

/** Converts a lab. `kinds` are the kinds of its attachments. `notes` gets a sentence for each key that is left out. */
export function migrateLab(former: YAMLMap, kinds: readonly unknown[], notes: string[]): MigratedLab {
  const kind = new Pair(new Scalar("kind"), new Scalar("Lab"));
  const parts: Parts = { apiVersion: API_VERSION, kind, forEditors: [], metadata: [], spec: [] };
  const lists: Pair[] = [];
  for (const pair of former.items) {
    const key = textOf(pair.key);
    if (key === "$schema") parts.forEditors.push(withSchema(pair));
    else if (key === "name") parts.metadata.push(pair);
    else if (key === "attachments" || key === "wires") lists.push(pair);
    else parts.spec.push(pair);
  }
  const lab = resourceOf(former, parts);
  const all: YAMLMap[] = [lab];
  for (const list of lists) {
    const maps = (isSeq(list.value) ? list.value.items : []).filter((item) => isMap(item));
    const migrated =
      textOf(list.key) === "wires"
        ? migrateWires(maps)
        : maps.map((map, i) => migrateMap(map, kinds[i], notes));
    const previous = all.at(-1) ?? lab;
    const [before, after] = commentsOf(list);
    if (migrated[0]) migrated[0].commentBefore = lines(before, migrated[0].commentBefore);
    else previous.comment = lines(previous.comment, before);
    const last = migrated.at(-1) ?? previous;
    last.comment = lines(last.comment, after);
    all.push(...migrated);
  }
  return { lab, beside: all.slice(1) };
}

/** Converts the wires of a lab. A wire gets its name from the workloads that it joins. */
function migrateWires(wires: readonly YAMLMap[]): YAMLMap[] {
  const names = new Set<string>();
  return wires.map((wire) => {
    const ends = ["client", "endpoint"].map((side) => textOf(wire.get(side, true)).split("/")[1] ?? "");
    const wanted = attachmentName(...ends);
    let name = wanted;
    for (let n = 2; names.has(name); n++) name = `${wanted.slice(0, 57)}-${n}`;
    names.add(name);
    const kind = new Pair(new Scalar("kind"), new Scalar("Wire"));
    const metadata = [new Pair(new Scalar("name"), new Scalar(name))];
    const parts: Parts = { apiVersion: API_VERSION, kind, forEditors: [], metadata, spec: wire.items };
    const migrated = resourceOf(wire, parts);
    for (const each of WIRE_RENAMED) rename(migrated.get("spec"), each);
    return migrated;
  });
}

/** The comments before the items of a list, and the comments behind them. */
function commentsOf(list: Pair | undefined): [string | null, string | null] {
  const [key, value] = [list?.key, list?.value].map((node) => (isNode(node) ? node : undefined));
  return [lines(key?.commentBefore, key?.comment, value?.commentBefore), value?.comment ?? null];
}

function lines(...comments: readonly (string | null | undefined)[]): string | null {
  const written = comments.filter((each) => each !== null && each !== undefined);
  return written.length > 0 ? written.join("\n") : null;
}

/** A comment above the first key stays above the document. So does the comment behind a document on one line. */
function resourceOf(former: YAMLMap, { apiVersion, kind, forEditors, metadata, spec }: Parts): YAMLMap {
  const resource = new YAMLMap();
  const own = former.flow === true ? [former.comment] : [];
  resource.commentBefore = lines(former.commentBefore, ...own, takeComment(former.items[0]?.key));
  if (former.flow !== true) resource.comment = former.comment ?? null;
  for (const pair of [kind, ...metadata, ...spec.slice(0, 1)]) closeUp(pair);
  resource.items.push(
    ...forEditors,
    new Pair(new Scalar("apiVersion"), new Scalar(apiVersion)),
    kind,
    new Pair(new Scalar("metadata"), metadataOf(metadata)),
    new Pair(new Scalar("spec"), mapOf(spec)),
  );
  return resource;
}

function mapOf(pairs: readonly Pair[]): YAMLMap {
  const map = new YAMLMap();
  map.items.push(...pairs);
  return map;
}

/** The metadata, on one line if no comment is in it. */
function metadataOf(pairs: readonly Pair[]): YAMLMap {
  const order = ["name", "labels", "annotations"];
  const placeOf = ({ key }: Pair): number => order.indexOf(textOf(key));
  const map = mapOf(pairs.toSorted((a, b) => placeOf(a) - placeOf(b)));
  map.flow = pairs.every(({ key, value }) => !hasComment(key) && !hasComment(value) && !isBlock(value));
  return map;
}

function hasComment(node: unknown): boolean {
  return isNode(node) && (Boolean(node.comment) || Boolean(node.commentBefore));
}

function isBlock(node: unknown): boolean {
  return isMap(node) && node.flow !== true && node.items.length > 0;
}

function takeComment(node: unknown): string | null {
  if (!isScalar(node)) return null;
  const comment = node.commentBefore ?? null;
  node.commentBefore = null;
  return comment;
}

/** Removes the empty line before a key. */
function closeUp({ key }: Pair): void {
  if (isScalar(key)) key.spaceBefore = false;
}

function hostAnnotation({ key, value }: Pair): Pair {
  const annotations = mapOf([new Pair(new Scalar(HOST_ANNOTATION), value)]);
  annotations.flow = !hasComment(value);
  return new Pair(takingPlace(key, "annotations"), annotations);
}

const FORMER_SCHEMA = /(^|\/)(?:lab|attachment)\.schema\.json$/;

function withSchema(pair: Pair): Pair {
  if (FORMER_SCHEMA.test(textOf(pair.value)))
    pair.value = takingPlace(pair.value, textOf(pair.value).replace(FORMER_SCHEMA, "$1netloom.schema.json"));
  return pair;
}

/**
 * Moves labels beyond the limits of Kubernetes into the addresses of the services, which take any text. If an address has no
 * room for them, the labels stay, and reading the converted document reports them.
 */
function moveOddLabels({ metadata, spec }: Parts): void {
  const place = metadata.findIndex(({ key }) => textOf(key) === "labels");
  const labels = metadata[place]?.value;
  if (!isMap(labels)) return;
  const isOdd = (pair: Pair): boolean =>
    !metadataLabelsSchema.safeParse({ [textOf(pair.key)]: textOf(pair.value) }).success;
  const odd = labels.items.filter(isOdd);
  if (odd.length === 0 || odd.some(({ value }) => !isScalar(value) || typeof value.value !== "string"))
    return;
  const moved = Object.fromEntries(odd.map((pair) => [textOf(pair.key), textOf(pair.value)]));
  const services = servicesIn(spec);
  const addresses = services.map(({ node }) => addressWith(textOf(node), moved));
  if (services.length === 0 || addresses.includes(undefined)) return;
  for (const [i, { node, put }] of services.entries()) put(takingPlace(node, addresses[i] ?? ""));
  labels.items = labels.items.filter((pair) => !odd.includes(pair));
  if (labels.items.length === 0) metadata.splice(place, 1);
}

interface NamedPlace {
  readonly node: unknown;
  readonly put: (scalar: Scalar) => void;
}

/** The places of a spec that name services. */
function servicesIn(spec: readonly Pair[]): NamedPlace[] {
  const valueOf = (name: string): Pair | undefined => spec.find(({ key }) => textOf(key) === name);
  const [one, many] = [valueOf("service"), valueOf("services")];
  const list = isSeq(many?.value) ? many.value : undefined;
  const places: NamedPlace[] = (list?.items ?? []).map((node, i) => ({
    node,
    put: (scalar) => list?.set(i, scalar),
  }));
  if (one) places.push({ node: one.value, put: (scalar) => (one.value = scalar) });
  return places.filter(({ node }) => isScalar(node));
}

/** The address with the labels added; `undefined` if it has no room for them. */
function addressWith(text: string, labels: Readonly<Record<string, string>>): string | undefined {
  const read = isNsUrl(text) ? parseNsUrl(text) : undefined;
  if (read && !read.ok) return undefined;
  const url = read?.url ?? { mechanism: "kernel", service: text, interface: "", labels: {} };
  const address = formatNsUrl({ ...url, labels: { ...url.labels, ...labels } });
  return parseNsUrl(address).ok ? address : undefined;
}
