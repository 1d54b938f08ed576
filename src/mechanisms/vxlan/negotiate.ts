/** The messages between the two hosts of a tunnel, except for its VNI and its MTU. */
import { quote } from "../../text/problem.ts";
import { NetloomError } from "../../errors/errors.ts";
import { VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import { familyOf, formatIp, parseIp } from "../../net/ip.ts";
import type { TunnelHost } from "../mechanism-type.ts";
import { COMMON, type ParameterMap } from "../parameters.ts";
import { portOf, portOption, ZERO_CHECKSUMS } from "./values.ts";

/** One offer for each family: the far side takes the first one that it has a VTEP for. */
export function offers(host: TunnelHost): Record<string, string>[] {
  return host.addresses.map((address) => ({
    [COMMON.sourceIp]: address,
    [COMMON.sourcePort]: String(portAt(host)),
    ...(familyOf(address) === 6 && { [ZERO_CHECKSUMS.source]: "true" }),
  }));
}

/** Accepts an offer with an address of the near side's family. */
export function accept(offered: ParameterMap, host: TunnelHost): Record<string, string> {
  const address = addressFor(offered, host);
  return {
    ...offered,
    [COMMON.destinationIp]: address,
    [COMMON.destinationPort]: String(portAt(host)),
    ...(familyOf(address) === 6 && { [ZERO_CHECKSUMS.destination]: "true" }),
  };
}

function portAt({ settings }: TunnelHost): number {
  return settings[portOption.key] ?? VXLAN_PORT;
}

function addressFor(offered: ParameterMap, host: TunnelHost): string {
  const text = offered[COMMON.sourceIp];
  const source = parseIp(text ?? "");
  if (!source)
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `make a tunnel: src_ip ${quote(text ?? "")} is not an address`,
    );
  const attempt = `make a tunnel to ${formatIp(source)}`;
  const address = host.addresses.find((each) => parseIp(each)?.family === source.family);
  if (address === undefined) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `${attempt}: this host has no IPv${source.family} address for tunnels`,
      { topic: "NL-404" },
    );
  }
  const [theirs, own] = [offered[COMMON.sourcePort], portAt(host)];
  if (portOf(theirs) !== own) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `${attempt}: it uses UDP port ${theirs}, and this host ${own}`,
      {
        topic: "NL-405",
        hint: "VXLAN devices of Linux need one port for all hosts",
      },
    );
  }
  return address;
}
