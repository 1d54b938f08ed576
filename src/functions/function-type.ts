/**
 * A service function in the middle of a service chain. A new type is a folder with a `FunctionType`, and an entry of
 * functions.ts.
 */
import type { z } from "zod";
import type { Passage } from "../elements/wires/onward.ts";
import type { Finding } from "../text/problem.ts";

/**
 * One type of service function. The document kind (src/documents/service-function) does what is common to all types: the workload, its
 * place in the registry, two devices for each client between which the workload forwards, addresses from pools, the next wire and
 * its endpoint.
 */
export interface FunctionType<Keys extends object = object> {
  /** The type's name in documents: `passthrough`. */
  readonly type: string;
  /** One sentence about the type, for editors. */
  readonly about: string;
  /** Keys of this type, beside those of every function. */
  readonly keys: { readonly [Key in keyof Keys]: z.ZodType<Keys[Key]> };
  /** Returns all problems of values that have the right shape. */
  check(document: Keys): readonly Finding[];
  /** The changes that a checked document makes to the contexts of the wires. */
  passage(document: Keys): Passage;
}
