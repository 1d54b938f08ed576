/** The controller of an attachment. */
import type { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { Side } from "../mechanisms/side.ts";
import type { ProgressView } from "./progress.ts";
import type { Spec } from "./spec.ts";

export interface AttachmentController {
  readonly spec: Spec;
  readonly view: ProgressView;
  /** The workload's name on this host: `web`; empty for an attachment without a workload. */
  readonly workload: string;
  /** Id of the one wire that the attachment requests; empty if it requests none. */
  readonly connectionId: string;
  /** The requested service, with the client's labels. Absent: the attachment requests no wire. */
  readonly asks?: { readonly service: string; readonly labels: Readonly<Record<string, string>> } | undefined;
  /** Name of the attachment's endpoint in the mesh; empty if it has none. */
  readonly endpointName: string;
  /** The reason why no packet passes a workload that is a port. */
  readonly whyDown?: string | undefined;
  /** The end at which the workload stands, for each established wire, by the wire's id. */
  readonly wires: ReadonlyMap<string, Side>;
  /** Fulfils the spec and keeps it fulfilled until `scope` ends. The end of `scope` leaves everything as it is. */
  run(scope: Scope): Promise<void>;
  /** Records that `run` ended with the unexpected `error` and is called again in `delayMs`. */
  fail(error: NetloomError, delayMs: number): void;
  /** Takes over a changed spec if that needs no removal. False if the attachment must be closed and started again. */
  update(spec: Spec): boolean;
  /** Announces `close`: the state is `closing` from now on, whatever `run` still does. */
  leave(): void;
  /**
   * Removes everything. Called after `leave` and after the end of `run`. Never throws an operating error: on hosts that it
   * does not reach, their part expires.
   */
  close(): Promise<void>;
}

/** An attachment with the generations of its document. */
export interface AttachmentRecord {
  readonly attached: AttachmentController;
  /** The number of changes of the document, the first one included. */
  readonly generation: number;
  /** The generation that the attachment works for. */
  readonly observedGeneration: number;
}
