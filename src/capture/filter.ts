/**
 * The filter of a capture: a small part of tcpdump's language, with tcpdump's meaning (pcap-filter(7)).
 *
 * ```
 *   host A    net P    port N    tcp  udp  icmp  icmp6  arp    not X    X and Y    X or Y    ( X )
 * ```
 */
import { formatIp, formatPrefix, type IpAddress, type IpPrefix } from "../net/ip.ts";

export const PROTOCOLS = ["tcp", "udp", "icmp", "icmp6", "arp"] as const;

export type ProtocolName = (typeof PROTOCOLS)[number];

export type Filter =
  | { readonly type: "and" | "or"; readonly left: Filter; readonly right: Filter }
  | { readonly type: "not"; readonly of: Filter }
  /** Sender or receiver of an IP packet or of an ARP message. */
  | { readonly type: "host"; readonly address: IpAddress }
  /** Sender or receiver of an IP packet or of an ARP message. The prefix has no host bits. */
  | { readonly type: "net"; readonly prefix: IpPrefix }
  /** Port of the sender or the receiver, in TCP, UDP and SCTP. */
  | { readonly type: "port"; readonly port: number }
  | { readonly type: "protocol"; readonly name: ProtocolName };

/** Prints a filter with only the parentheses it needs. `parseFilter` of the text gives the same filter. */
export function printFilter(filter: Filter): string {
  switch (filter.type) {
    case "and":
    case "or":
      return `${printFilter(filter.left)} ${filter.type} ${operand(filter.right)}`;
    case "not":
      return `not ${operand(filter.of)}`;
    case "host":
      return `host ${formatIp(filter.address)}`;
    case "net":
      return `net ${formatPrefix(filter.prefix)}`;
    case "port":
      return `port ${filter.port}`;
    case "protocol":
    default:
      return filter.name;
  }
}

/** Adds parentheses to a right operand: `and` and `or` bind alike, to the left. */
function operand(filter: Filter): string {
  const text = printFilter(filter);
  return filter.type === "and" || filter.type === "or" ? `(${text})` : text;
}
