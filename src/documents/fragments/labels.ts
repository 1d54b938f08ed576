/** Labels of clients and endpoints. */
import { z } from "zod";
import type { Labels } from "../../registry/matching/match.ts";
import { LIMITS } from "../../elements/limits.ts";
import type { FilePath, Finding } from "../../text/problem.ts";

/** The place of labels in a document. */
export const LABELS = ["metadata", "labels"] as const satisfies FilePath;

export const labelsSchema = z.record(z.string(), z.string());

/** Checks labels, with room for one more: the agent adds the host's name to every client and endpoint. */
export function checkLabels(labels: Labels, path: FilePath): Finding[] {
  const entries = Object.entries(labels);
  const most = Object.hasOwn(labels, "nodeName") ? LIMITS.pairs : LIMITS.pairs - 1;
  if (entries.length > most)
    return [{ path, message: `${entries.length} labels are too many; there is room for ${most}` }];
  return entries.flatMap(([key, value]): Finding[] => {
    const tooLong = (what: string, length: number, limit: number, atKey: boolean): Finding => ({
      path: [...path, key],
      atKey,
      message: `${what} of ${length} characters is too long; ${limit} are allowed`,
    });
    return [
      ...(key.length > LIMITS.name ? [tooLong("a label's name", key.length, LIMITS.name, true)] : []),
      ...(value.length > LIMITS.value ? [tooLong("a label", value.length, LIMITS.value, false)] : []),
    ];
  });
}
