/** Checks whether a device can be a port: a device made by somebody else in which a wire ends. */
import { NetloomError } from "../errors/errors.ts";
import type { PortFacts } from "./kernel.ts";

/**
 * Types whose frames bypass the device: a program behind a macvtap sends directly by the lower device, and frames never
 * enter this one.
 */
const PASSED_BY: readonly string[] = ["macvtap", "ipvtap", "macvlan", "ipvlan"];

/** The error FAILED_PRECONDITION, with the reason, for a device that cannot be a port; `undefined` for one that can. */
export function portRefusal(name: string, facts: PortFacts): NetloomError | undefined {
  const { isOurs, isEthernet, master, sort = "", addresses } = facts;
  const refuse = (why: string, hint: string): NetloomError =>
    new NetloomError("FAILED_PRECONDITION", `device ${name} cannot be a port: ${why}`, {
      topic: "NL-411",
      hint,
    });
  if (isOurs) return refuse("Netloom has made it for a wire", "name a device that somebody else has made");
  if (!isEthernet)
    return refuse("its frames have no MAC addresses", "name an Ethernet device, such as a TAP or a veth");
  if (PASSED_BY.includes(sort))
    return refuse(
      `it is a ${sort}, which frames leave past it`,
      "name the device below it, or give the machine a TAP",
    );
  if (master !== undefined)
    return refuse(`it is a member of ${master}, which takes its frames`, `ip link set ${name} nomaster`);
  const [address] = addresses;
  if (address !== undefined)
    return refuse(
      `it has the address ${address}, and this host would not be reached there any more`,
      "take the address off it, or name a device that this host does not use itself",
    );
  return undefined;
}

/** The reason why a port passes no packets; `undefined` if it does. */
export function whyPortDown(name: string, { isUp, hasCarrier }: PortFacts): string | undefined {
  if (!isUp) return `port ${name} is down: it is set up by whoever has made it`;
  return hasCarrier ? undefined : `port ${name} has no carrier: nobody is at its other end`;
}
