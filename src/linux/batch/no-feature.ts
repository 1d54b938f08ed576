import type { Ack } from "../netlink/message-reader.ts";
import type { Explanation } from "./refuse.ts";

/** The kernel was built without this feature. */
export function noFeature(name: string): Explanation {
  return { reason: `this kernel has no ${name}`, hint: "run netloom doctor", code: "UNIMPLEMENTED" };
}

/** The reason for an errno if it means that the kernel has no driver for a device. */
export function noDriver(name: string, errno: string, { message }: Ack): Explanation | undefined {
  const isUnknown = message === undefined || /unknown device type/i.test(message);
  return errno === "EOPNOTSUPP" && isUnknown ? noFeature(name) : undefined;
}
