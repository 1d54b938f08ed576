/** What an agent is asked for, whatever its kind. */
import type { WorkloadRef } from "../resolvers/resolver.ts";
import type { Finding } from "../text/problem.ts";

/** A document as plain data, of the shape that Kubernetes resources have. The spec belongs to its kind. */
export interface Document {
  /** Group and version: `netloom.dev/v1alpha1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: object | null | undefined;
}

interface Metadata {
  readonly name: string;
  /** The labels that the matches of a service select by. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Notes for tools. Netloom keeps them. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What a document means, with every default filled in. A kind adds what its controller needs. */
export interface Wish {
  readonly kind: string;
  readonly name: string;
  /** As people wrote it. */
  readonly document: Document;
  /** Names of the services that it is about. */
  readonly services: readonly string[];
  /** Absent: it is of no workload. */
  readonly workload?: WorkloadRef;
  /** Name of the one device that it takes in its workload, where no other may have it. */
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

/** `NetworkServiceClient web-db` */
export function refText({ kind, name }: Ref): string {
  return `${kind} ${name}`;
}

/** What a document says, or everything that is wrong with it. */
export type ReadResult =
  /** `notes`: a sentence for each part of a former document that has no place any more. */
  | { readonly ok: true; readonly wish: Wish; readonly notes?: readonly string[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };
