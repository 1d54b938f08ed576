/** The kinds of release 0.1.0, and the kinds that replace them. */
import { isMap, isScalar, isSeq, type Pair, Scalar, type YAMLMap } from "yaml";
import { API_VERSION, UPSTREAM_API_VERSION } from "./api-version.ts";

/** A key that has a new name. */
export interface Renaming {
  /** Keys from the top of the spec to the key; `*` is every item of a list. */
  readonly path: readonly string[];
  readonly to: string;
}

export interface Successor {
  readonly apiVersion: string;
  readonly kind: string;
  readonly renamed: readonly Renaming[];
}

export const SUCCESSORS: Readonly<Record<string, Successor>> = {
  NetworkService: {
    apiVersion: UPSTREAM_API_VERSION,
    kind: "NetworkService",
    renamed: [
      { path: ["matches", "*", "sourceSelector"], to: "source_selector" },
      { path: ["matches", "*", "routes", "*", "destinationSelector"], to: "destination_selector" },
    ],
  },
  Connect: { apiVersion: API_VERSION, kind: "NetworkServiceClient", renamed: [] },
  Expose: {
    apiVersion: API_VERSION,
    kind: "NetworkServiceProvider",
    renamed: [{ path: ["policies"], to: "policyRoutes" }],
  },
  Function: { apiVersion: API_VERSION, kind: "ServiceFunction", renamed: [] },
};

/** Renamed keys of a lab's wire. */
export const WIRE_RENAMED: readonly Renaming[] = [{ path: ["policies"], to: "policyRoutes" }];

/** Renames a key in the tree of a spec. A missing key is not an error. */
export function rename(tree: unknown, { path: [head, ...rest], to }: Renaming): void {
  if (head === "*") {
    if (isSeq(tree)) for (const item of tree.items) rename(item, { path: rest, to });
    return;
  }
  const pair = isMap(tree) && head !== undefined ? pairOf(tree, head) : undefined;
  if (rest.length > 0) rename(pair?.value, { path: rest, to });
  else if (pair) pair.key = takingPlace(pair.key, to);
}

/** The renaming in the other direction. */
export function reversed({ path, to }: Renaming): Renaming {
  return { path: [...path.slice(0, -1), to], to: path.at(-1) ?? to };
}

/** A scalar of this value, with the comments of the node that it replaces. Aliases of that node do not point to the new one. */
export function takingPlace(former: unknown, value: string): Scalar {
  const scalar = new Scalar(value);
  if (!isScalar(former)) return scalar;
  scalar.comment = former.comment ?? null;
  scalar.commentBefore = former.commentBefore ?? null;
  scalar.spaceBefore = former.spaceBefore ?? false;
  if (former.type !== undefined) scalar.type = former.type;
  return scalar;
}

export function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => textOf(pair.key) === key);
}

export function textOf(node: unknown): string {
  return isScalar(node) ? String(node.value) : String(node);
}
