/** The types of service functions. A new one is a folder, and an entry here. */
import type { FunctionType } from "./function-type.ts";
import { passthrough } from "./passthrough/passthrough.ts";

export const FUNCTIONS: readonly [FunctionType, ...FunctionType[]] = [passthrough];
