/**
 * What a type of names for workloads has: a key in documents, spellings on the command line, and the way from a name to
 * what it leads to now. Each type is a folder here and a line in resolvers.ts; everybody else asks that list.
 */
import type { z } from "zod";
import type { Kernel, NetnsIdentity } from "../kernel/kernel.ts";
import type { Processes } from "../kernel/processes.ts";

/** Names a workload in a document, by one key, the type of its resolver: `{ netns: /run/netns/web }`, `{ pid: 4711 }`. */
export type WorkloadRef = Readonly<Record<string, unknown>>;

/** What a name leads to. `identity` is that of the namespace: of another one at the same path it is another one. */
export type Found =
  | { readonly type: "netns"; readonly identity: NetnsIdentity }
  /** A device that exists already. `identity` is the namespace that it is in. */
  | {
      readonly type: "port";
      readonly identity: NetnsIdentity;
      readonly device: string;
      /** Of another device with the same name it is another one. */
      readonly ifindex: number;
      readonly condition: PortCondition;
    };

/** How a port is, which changes while it stays the same one. */
export interface PortCondition {
  readonly mtuBytes: number;
  /** Why no packet passes it. */
  readonly whyDown?: string;
}

/** What resolvers see of the machine. The simulator has the same, and both pass one suite (e2e/contracts/resolver-contract.ts). */
export interface Outside {
  readonly kernel: Pick<Kernel, "devices" | "resolve">;
  readonly processes: Processes;
}

/** One name, looked after. */
export interface Lookout {
  /** What it leads to now. A `NetloomError` is the reason why that is nothing. One call at a time. */
  look(): Promise<Found>;
  /** So long what was found is believed, unless the kernel tells of the end of its namespace, or of a change of its device. */
  readonly checkMs: number;
  /** Nothing will be found any more, ever. */
  readonly isOver: boolean;
  /** Gives back what it holds of the machine. */
  close(): void;
}

/** One way to write a name on the command line. */
interface Spelling<Value> {
  /** For help, with the name of an example: `/run/netns/web`. */
  readonly form: (example: string) => string;
  /** Where the form does not say it: `a named namespace`. */
  readonly about?: string;
  /** Read only if no other spelling of any resolver fits: a bare word. */
  readonly isLast?: true;
  /** `undefined`: it is not this spelling. */
  read(text: string, asked: AskedHost): Written<Value> | undefined;
}

/** The lab and host that `--lab` and `--host` name. */
export interface AskedHost {
  readonly lab?: string;
  readonly host?: string;
}

export interface Written<Value> {
  readonly value: Value;
  /** The host of a lab that has it, where the name tells. */
  readonly at?: Required<AskedHost>;
}

export interface Resolver<Value = unknown> {
  /** The key of its values in documents. */
  readonly type: string;
  /** What stands behind the key, for sentences: `path`. */
  readonly form: string;
  /** What its names lead to. */
  readonly leadsTo: Found["type"];
  /** Goes on after what it leads to: `by path`. */
  readonly about: string;
  /** The shape of a value. zod is handed in, so that those who only need words do not load it. */
  schema(zod: typeof z): z.ZodType<Value>;
  /** What is wrong with a value of that shape, a sentence without its full stop. */
  problem(value: Value): string | undefined;
  /** Equal for values that lead to the same place, also for those of two resolvers. */
  key(value: Value): string;
  /** For messages: `pid 4711`. */
  text(value: Value): string;
  /** Short, for the name `host/label` of the workload: `web`. */
  label(value: Value): string;
  /** In the order in which help names them. */
  readonly spellings: readonly Spelling<Value>[];
  /** Folders whose entries may be written as names, for completion. */
  readonly folders: readonly string[];
  /** Begins to look after the name. Holds nothing of the machine before the first look. */
  watch(value: Value, outside: Outside): Lookout;
}
