/** Name servers for the client of a wire. */
import { z } from "zod";
import { LIMITS } from "../../elements/limits.ts";
import { parseIp } from "../../net/ip.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { checkCount } from "./limits.ts";

export const dnsSchema = z.array(
  z.strictObject({
    servers: z.array(z.string()).min(1, "name a server"),
    searchDomains: z.array(z.string()).optional(),
  }),
);

export function checkDns(dns: z.infer<typeof dnsSchema>, path: FilePath): Finding[] {
  const servers = dns.flatMap((each) => each.servers);
  return [
    ...checkCount(dns.length, path, "DNS configurations", LIMITS.list),
    ...checkCount(servers.length, path, "name servers", LIMITS.list),
    ...dns.flatMap((each, i) =>
      each.servers.flatMap((server, j) =>
        parseIp(server)
          ? []
          : [{ path: [...path, i, "servers", j], message: `${quote(server)} is no IP address` }],
      ),
    ),
  ];
}
