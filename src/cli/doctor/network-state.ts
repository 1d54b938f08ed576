/** Reads the network namespace that Netloom runs in: a few dumps, without entering or changing anything. */
import { KernelError, MESH_MARK, LAB_MARK } from "../../kernel/kernel.ts";
import { addressOf } from "../../net/ip.ts";
import { decodeAddress, dumpAddresses } from "../../linux/netlink/address.ts";
import {
  decodeFilterChain,
  decodeFilterRule,
  dumpFilterChains,
  dumpFilterRules,
  type FilterState,
} from "../../linux/netlink/nftables.ts";
import { NetlinkSocket } from "../../linux/netlink/netlink-socket.ts";
import { decodeLink, type Link } from "../../linux/netlink/link-decode.ts";
import { IFF_UP, NETLINK_NETFILTER } from "../../linux/netlink/constants.ts";
import { dumpLinks } from "../../linux/netlink/link.ts";
import { decodeRoute, dumpRoutes } from "../../linux/netlink/route.ts";
import { decodeRule, dumpRules } from "../../linux/netlink/rule.ts";
import type { DoctorHost, MarkedEntry } from "./host.ts";
import type { DeviceFacts } from "../../doctor/machine.ts";

const protocols: readonly number[] = [MESH_MARK.protocol, LAB_MARK.protocol];
const families = [4, 6] as const;

/** Reads devices, and the routes and rules with one of Netloom's protocol numbers. */
export function readNetworkState(): Pick<
  DoctorHost,
  "devices" | "markedEntries" | "addresses" | "netfilter"
> {
  const socket = NetlinkSocket.open();
  try {
    const links = socket.dump(dumpLinks(), decodeLink);
    const names = new Map(links.map(({ index, name }) => [index, name]));
    return {
      devices: links.map(device),
      addresses: socket.dump(dumpAddresses(), decodeAddress).map(({ address }) => addressOf(address)),
      netfilter: readNetfilter(),
      markedEntries: families.flatMap((family) => [
        ...routes(socket, family, names),
        ...rules(socket, family),
      ]),
    };
  } finally {
    socket.close();
  }
}

/** `undefined` if the kernel has no nftables, or does not list its rules to this process. */
function readNetfilter(): FilterState | undefined {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open(NETLINK_NETFILTER);
    return {
      chains: socket.dump(dumpFilterChains(), decodeFilterChain),
      rules: socket.dump(dumpFilterRules(), decodeFilterRule),
    };
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  } finally {
    socket?.close();
  }
}

function device({ name, kind, group, flags, vxlan }: Link): DeviceFacts {
  return {
    name,
    group,
    ...(kind === undefined ? {} : { kind }),
    isUp: (flags & IFF_UP) !== 0,
    ...(vxlan === undefined ? {} : { vxlan }),
  };
}

function routes(socket: NetlinkSocket, family: 4 | 6, names: ReadonlyMap<number, string>): MarkedEntry[] {
  return socket
    .dump(dumpRoutes({ family }), decodeRoute)
    .filter(({ protocol }) => protocols.includes(protocol))
    .map(({ destination, table, protocol, linkIndex }) => {
      const dev = linkIndex === undefined ? "" : ` dev ${names.get(linkIndex) ?? linkIndex}`;
      const route = `${destination}${dev} table ${table ?? "main"} proto ${protocol}`;
      return { what: `route ${route}`, remedy: `ip -${family} route delete ${route}` };
    });
}

function rules(socket: NetlinkSocket, family: 4 | 6): MarkedEntry[] {
  return socket
    .dump(dumpRules(family), decodeRule)
    .filter(({ protocol }) => protocols.includes(protocol))
    .map(({ priority, protocol }) => {
      const rule = `priority ${priority} protocol ${protocol}`;
      return { what: `ipv${family} rule ${rule}`, remedy: `ip -${family} rule delete ${rule}` };
    });
}
