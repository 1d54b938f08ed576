/** Documents and specs of any kind. */
import type { WorkloadRef } from "../resolvers/resolver.ts";
import type { Finding } from "../text/problem.ts";

/** A document as plain data, in the shape of a Kubernetes resource. The kind defines the spec. */
export interface Document {
  /** Group and version: `netloom.dev/v1alpha1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: object | null | undefined;
}

interface Metadata {
  readonly name: string;
  /** Labels for the selectors in the matches of a service. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Notes for tools. Netloom keeps them. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The meaning of a document, with every default filled in. A kind adds the fields that its controller needs. */
export interface Spec {
  readonly kind: string;
  readonly name: string;
  /** The document as people wrote it. */
  readonly document: Document;
  /** Names of the services that the document names. */
  readonly services: readonly string[];
  /** Absent if the spec has no workload. */
  readonly workload?: WorkloadRef;
  /** Name of the one device that the spec takes in its workload. No other spec may have it. */
  readonly interface?: string;
}

/** Names an attachment on its host. */
export interface Ref {
  readonly kind: string;
  readonly name: string;
}

export function refOf({ kind, name }: Ref): Ref {
  return { kind, name };
}

/** Whether `ref` has the kind and the name of a query. An absent part of the query matches everything. */
export function isMatch(query: Partial<Ref>, { kind, name }: Ref): boolean {
  return (query.kind ?? kind) === kind && (query.name ?? name) === name;
}

/** `NetworkServiceClient web-db` */
export function refText({ kind, name }: Ref): string {
  return `${kind} ${name}`;
}

/** The spec of a document, or all of its problems. */
export type ReadResult =
  /** `notes`: a sentence for each part of a release 0.1.0 document that this version does not know. */
  | { readonly ok: true; readonly spec: Spec; readonly notes?: readonly string[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };
