/** Listener and peer addresses: `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001`. */
import { parseIp } from "../net/ip.ts";
import { NetloomError } from "../world/errors.ts";

/** The name of an address in gRPC's grammar. INVALID_ARGUMENT for anything that is not one of the forms above. */
export function grpcTarget(url: string): string {
  if (url.startsWith("unix:///") && url.length > "unix:///".length)
    return `unix:${url.slice("unix://".length)}`;
  const tcp = /^tcp:\/\/(\[[^\]]*\]|[^:]*):([0-9]{1,5})$/.exec(url);
  const host = tcp?.[1]?.replace(/^\[|\]$/g, "") ?? "";
  const port = Number(tcp?.[2]);
  if (tcp && parseIp(host) && port <= 65_535)
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `use address ${JSON.stringify(url)}: it is neither a socket nor an IP address with a port`,
    {
      hint: "write unix:///run/netloom/agent.sock, tcp://10.0.0.1:5001 or tcp://[2001:db8::1]:5001",
    },
  );
}
