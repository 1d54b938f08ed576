import type { Ack } from "../netlink/message-reader.ts";
import type { Reason } from "./refuse.ts";

/** The kernel was built without this feature. */
export function noFeature(name: string): Reason {
  return { reason: `this kernel has no ${name}`, hint: "run netloom doctor", code: "UNIMPLEMENTED" };
}

/** The reason for an errno if it means that the kernel has no driver for a device. */
export function noDriver(name: string, errno: string, { message }: Ack): Reason | undefined {
  const isUnknown = message === undefined || /unknown device type/i.test(message);
  return errno === "EOPNOTSUPP" && isUnknown ? noFeature(name) : undefined;
}
