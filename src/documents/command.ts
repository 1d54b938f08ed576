/** A command that writes a document of a kind: `netloom connect web db`. As data, so that all of them read and behave alike. */
import type { WorkloadRef } from "../resolvers/resolver.ts";

/** Its arguments are a workload and services, its options those of every such command and its own. */
export interface KindCommand {
  readonly name: string;
  /** For the list of commands. */
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly { readonly command: string; readonly about: string }[];
  /** Name of a workload, for the forms of the argument. */
  readonly workload: string;
  /** About the services. */
  readonly services: string;
  /** About `--interface`. */
  readonly interface: string;
  readonly options: readonly CommandOption[];
  /** What is wrong with a command line as a whole, as commander says it. */
  refuse?(given: Pick<Given, "services" | "name" | "interface">): string | undefined;
  /** The documents that the command line asks for, without `apiVersion` and `kind`. Values that are `undefined` are left out. */
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
  /** Short, for names. */
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

/** `web-db`: what people would have called it. Lower-case letters, digits and hyphens. */
export function attachmentName(...parts: readonly string[]): string {
  const name = parts
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-");
  return name.slice(0, 63).replace(/^[.-]+|[.-]+$/g, "") || "unnamed";
}

/** `db` of `kernel://db.example/nsm-1?app=web` */
export function plainServiceName(service: string): string {
  return /^(?:[^:]*:\/\/)?([^/?#]*)/.exec(service)?.[1] ?? service;
}
