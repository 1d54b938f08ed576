/**
 * The definition of one type of workload name: its key in documents, its spellings on the command line, and the lookup of a name.
 * Each type is a folder here and a line in resolvers.ts; all other code uses that list.
 */
import type { z } from "zod";
import type { Kernel, NetnsIdentity } from "../kernel/kernel.ts";
import type { Processes } from "../kernel/processes.ts";

/** Names a workload in a document by one key, the type of its resolver: `{ netns: /run/netns/web }`, `{ pid: 4711 }`. */
export type WorkloadRef = Readonly<Record<string, unknown>>;

/**
 * The thing that a name refers to. `identity` is that of the namespace: another namespace at the same path has another identity.
 */
export type Found =
  | { readonly type: "netns"; readonly identity: NetnsIdentity }
  /** A device that exists already. `identity` is that of its namespace. */
  | {
      readonly type: "port";
      readonly identity: NetnsIdentity;
      readonly device: string;
      /** Distinguishes the device from another one with the same name. */
      readonly ifindex: number;
      readonly condition: PortCondition;
    };

/** The state of a port, which may change while it stays the same device. */
export interface PortCondition {
  readonly mtuBytes: number;
  /** The reason why no packet passes the port. */
  readonly whyDown?: string;
}

/**
 * The machine as resolvers see it. The simulator offers the same, and both pass one suite (e2e/contracts/resolver-contract.ts).
 */
export interface Outside {
  readonly kernel: Pick<Kernel, "devices" | "resolve">;
  readonly processes: Processes;
}

/** Watches one name. */
export interface Lookout {
  /** Looks the name up now. Rejects with a `NetloomError` if it refers to nothing. One call at a time. */
  look(): Promise<Found>;
  /** Validity of a result, unless the kernel reports the end of its namespace, or a change of its device. */
  readonly checkMs: number;
  /** The name will never be found again. */
  readonly isOver: boolean;
  /** Releases everything that the lookout holds of the machine. */
  close(): void;
}

/** One way to write a name on the command line. */
interface Spelling<Value> {
  /** The form for help, with the name of an example: `/run/netns/web`. */
  readonly form: (example: string) => string;
  /** An explanation if the form needs one: `a named namespace`. */
  readonly about?: string;
  /** Read only if no other spelling of any resolver fits: a bare word. */
  readonly isLast?: true;
  /** `undefined` if the text has another spelling. */
  read(text: string, asked: AskedHost): Written<Value> | undefined;
}

/** The lab and host given by `--lab` and `--host`. */
export interface AskedHost {
  readonly lab?: string;
  readonly host?: string;
}

export interface Written<Value> {
  readonly value: Value;
  /** The lab and host of the workload, if the name contains them. */
  readonly at?: Required<AskedHost>;
}

export interface Resolver<Value = unknown> {
  /** The key of its values in documents. */
  readonly type: string;
  /** The kind of value behind the key, for sentences: `path`. */
  readonly form: string;
  /** The type of thing that its names refer to. */
  readonly leadsTo: Found["type"];
  /** Continues a sentence about the thing: `by path`. */
  readonly about: string;
  /** The shape of a value. zod is passed in, so that code that only needs texts does not load it. */
  schema(zod: typeof z): z.ZodType<Value>;
  /** The problem of a value of that shape, a sentence without its full stop. */
  problem(value: Value): string | undefined;
  /** Equal for values that refer to the same place, even of different resolvers. */
  key(value: Value): string;
  /** For messages: `pid 4711`. */
  text(value: Value): string;
  /** Short, for the name `host/label` of the workload: `web`. */
  label(value: Value): string;
  /** In the order of the help text. */
  readonly spellings: readonly Spelling<Value>[];
  /** Folders whose entries are valid names, for completion. */
  readonly folders: readonly string[];
  /** Begins to watch the name. Holds nothing of the machine before the first look. */
  watch(value: Value, outside: Outside): Lookout;
}
