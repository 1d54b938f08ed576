/** Name servers for the client of a wire. No agent sets them in its workloads yet, so a document with them is refused. */
import { z } from "zod";
import type { FilePath, Finding } from "../../text/problem.ts";

export const dnsSchema = z.unknown().optional().describe("Not supported yet.");

export function checkDns(dns: unknown, path: FilePath): Finding[] {
  if (dns === undefined) return [];
  const message = "no agent sets name servers in its workloads yet; leave this out, and set them by hand";
  return [{ path, message, atKey: true }];
}
