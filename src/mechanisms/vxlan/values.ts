/** Numbers and names of VXLAN (RFC 7348). */
import { VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import type { HostOption } from "../mechanism-type.ts";
import { readNumber } from "../parameters.ts";

/** The parameter's name. */
export const VNI = "vni";

/**
 * Netloom's own parameters, "true" or absent: this end accepts IPv6 packets without a UDP checksum. Each end has its own, because
 * an answer repeats parameters that it does not know.
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

/** Parses a UDP port; 4789 if none is given. */
export function portOf(text: string | undefined): number | undefined {
  return text === undefined || text === "" || text === "0" ? VXLAN_PORT : readNumber(text, 65_535);
}
