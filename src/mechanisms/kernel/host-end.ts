/** The end of a workload's pair that stays in the host. */
import type { LinkEnd } from "../../kernel/kernel.ts";
import { HOST, type Place } from "../half.ts";
import { derivedMac } from "../../net/mac.ts";
import { deviceName, halfAlias } from "../naming.ts";
import type { Side } from "../side.ts";

export function hostEnd({ connectionId, side, mtuBytes }: Place): LinkEnd {
  return {
    netns: HOST,
    name: hostVethName(connectionId, side),
    // No frame is ever sent to this MAC.
    mac: derivedMac(["mac", connectionId, side, "host"]),
    mtuBytes,
    alias: halfAlias("veth", connectionId, side),
  };
}

export function hostVethName(connectionId: string, side: Side): string {
  return deviceName("nlv", [connectionId, side]);
}
