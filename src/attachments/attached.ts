/** An attachment at work. */
import type { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { Side } from "../mechanisms/side.ts";
import type { ProgressView } from "./progress.ts";
import type { Wish } from "./wish.ts";

export interface Attached {
  readonly wish: Wish;
  readonly view: ProgressView;
  /** Its name on this host: `web`; empty for what is of no workload. */
  readonly workload: string;
  /** Id of the one wire that it asks for; empty if it asks for none. */
  readonly connectionId: string;
  /** What it asks for. Absent: it asks for no wire. */
  readonly asks?: { readonly service: string; readonly labels: Readonly<Record<string, string>> } | undefined;
  /** Name of its endpoint in the mesh; empty if it has none. */
  readonly endpointName: string;
  /** Why no packet passes its workload, a port. */
  readonly whyDown?: string | undefined;
  /** Its wires that are established, by id: at which end of each its workload is. */
  readonly wires: ReadonlyMap<string, Side>;
  /** Brings it about, and keeps it so, until `scope` ends. That changes nothing of what is there. */
  run(scope: Scope): Promise<void>;
  /** `run` has ended with `error`, which nobody has expected; it is called again in `delayMs`. */
  fail(error: NetloomError, delayMs: number): void;
  /** Takes a changed wish over where that is possible without taking anything away. False if it has to begin anew. */
  update(wish: Wish): boolean;
  /** It is going to be taken away: whatever `run` still does, its state is `closing` from now on. */
  leave(): void;
  /** After `leave`, and after `run` has ended: takes all of it away. Never throws an operating error: what cannot be told, expires. */
  close(): Promise<void>;
}

/** An attachment with the generations of its document. */
export interface AttachmentRecord {
  readonly attached: Attached;
  /** The number of changes of the document, the first one included. */
  readonly generation: number;
  /** The generation that the attachment works for. */
  readonly observedGeneration: number;
}
