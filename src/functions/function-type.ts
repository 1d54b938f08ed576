/** What stands in the middle of a service chain. A new type is a folder with a `FunctionType`, and an entry of functions.ts. */
import type { z } from "zod";
import type { Passage } from "../elements/wires/onward.ts";
import type { Finding } from "../text/problem.ts";

/**
 * What is common to all types is their kind's (src/documents/service-function): the workload, its place in the registry, two devices for
 * each client between which the workload forwards, addresses from pools, the next wire and its endpoint.
 */
export interface FunctionType<Keys extends object = object> {
  /** As documents have it: `passthrough`. */
  readonly type: string;
  /** What it does, as a sentence: for editors. */
  readonly about: string;
  /** Its keys beside those of every function. */
  readonly keys: { readonly [Key in keyof Keys]: z.ZodType<Keys[Key]> };
  /** What is wrong with values of the right shape, all of it. */
  check(document: Keys): readonly Finding[];
  /** What a document that has been checked makes of the wires. */
  passage(document: Keys): Passage;
}
