/** Commands that write a document of a kind: `netloom connect web db`. They are data, so that all of them behave alike. */
import type { WorkloadRef } from "../resolvers/resolver.ts";

/** The arguments are a workload and services; the options are the common ones and those of the command. */
export interface KindCommand {
  readonly name: string;
  /** Text for the list of commands. */
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly { readonly command: string; readonly about: string }[];
  /** An example name of a workload, for the help text of the argument. */
  readonly workload: string;
  /** Help text of the services argument. */
  readonly services: string;
  /** Help text of `--interface`. */
  readonly interface: string;
  readonly options: readonly CommandOption[];
  /** The problem with a command line as a whole, in the words of commander. `undefined` if it has none. */
  refuse?(given: Pick<Given, "services" | "name" | "interface">): string | undefined;
  /** The documents of a command line, without `apiVersion` and `kind`. Values that are `undefined` are left out. */
  documents(given: Given): readonly { readonly metadata: object; readonly spec: object }[];
}

export interface CommandOption {
  /** `--endpoint <name>` */
  readonly flags: string;
  readonly about: string;
  readonly isRepeated?: true;
  readonly choices?: readonly string[];
}

/** A command line. */
export interface Given {
  readonly workload: WorkloadRef;
  /** Short text of the workload, for names. */
  readonly label: string;
  readonly services: readonly string[];
  readonly name?: string;
  readonly interface?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly mtu?: number;
  readonly exclude?: readonly string[];
  /** Values of the kind's own options, by their long names. */
  text(option: string): string | undefined;
  texts(option: string): readonly string[] | undefined;
}

/** A readable default name: `web-db`. It has lower-case letters, digits, dots and hyphens. */
export function attachmentName(...parts: readonly string[]): string {
  const name = parts
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-");
  return name.slice(0, 63).replace(/^[.-]+|[.-]+$/g, "") || "unnamed";
}

/** The service's name: `db.example` for `kernel://db.example/nsm-1?app=web`. */
export function plainServiceName(service: string): string {
  return /^(?:[^:]*:\/\/)?([^/?#]*)/.exec(service)?.[1] ?? service;
}
