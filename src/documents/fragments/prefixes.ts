/** Lists of prefixes. */
import { z } from "zod";
import { LIMITS } from "../../elements/limits.ts";
import type { FilePath, Finding } from "../../text/problem.ts";
import { readSubnet } from "../../text/read-address.ts";
import { checkCount } from "./limits.ts";

export const prefixesSchema = z.array(z.string());

export function checkPrefixes(prefixes: readonly string[], path: FilePath): Finding[] {
  return [
    ...checkCount(prefixes.length, path, "prefixes", LIMITS.list),
    ...prefixes.flatMap((prefix, i) => checkPrefix(prefix, [...path, i])),
  ];
}

export function checkPrefix(text: string, path: FilePath): Finding[] {
  const read = readSubnet(text);
  return "error" in read ? [{ path, message: read.error }] : [];
}
