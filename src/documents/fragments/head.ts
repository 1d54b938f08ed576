/** What stands at the top of documents, and is the same in several kinds. */
import { z } from "zod";

const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** The keys of every document, for a `strictObject`. */
export function headSchema<K extends string>(kind: K) {
  return { $schema: z.string().optional().describe("For editors."), kind: z.literal(kind) };
}

/** Of a wish that a host has: unique among those of its kind. */
export const nameSchema = z
  .string()
  .regex(NAME, "use 1-63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends");

export const payloadSchema = z.enum(["ETHERNET", "IP"]);
