/** What an agent is asked for, whatever its kind. */
import type { WorkloadRef } from "../resolvers/resolver.ts";
import type { Finding } from "../text/problem.ts";

/** The head of every document, as plain data. What else is in it is its kind's. */
export interface Document {
  readonly kind: string;
  readonly name: string;
  /** For editors. */
  readonly $schema?: string | undefined;
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

/** `Connect web-db` */
export function refText({ kind, name }: Ref): string {
  return `${kind} ${name}`;
}

/** What a document says, or everything that is wrong with it. */
export type ReadResult =
  | { readonly ok: true; readonly wish: Wish }
  | { readonly ok: false; readonly findings: readonly Finding[] };
