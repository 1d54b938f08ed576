/** Numbers and names of VXLAN (RFC 7348). */
import { VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import type { HostOption } from "../mechanism-type.ts";
import { readNumber } from "../parameters.ts";

/** The parameter. */
export const VNI = "vni";

/**
 * Parameters of our own, "true" or absent: this end takes IPv6 packets without a UDP checksum. Each end has one of its own, because
 * an answer repeats what it does not know.
 */
export const ZERO_CHECKSUMS = { source: "srcZeroChecksums", destination: "dstZeroChecksums" } as const;

export const portOption: Readonly<HostOption> = {
  key: "port",
  name: "vxlan-port",
  argument: "port",
  about: "UDP port of the tunnels",
  default: VXLAN_PORT,
  least: 1,
  most: 65_535,
};

/** A UDP port; 4789 where nobody says one. */
export function portOf(text: string | undefined): number | undefined {
  return text === undefined || text === "" || text === "0" ? VXLAN_PORT : readNumber(text, 65_535);
}
