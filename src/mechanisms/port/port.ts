/**
 * PORT: an existing device that is the workload: a physical port, a VM's TAP, the host's side of a container's veth. Upstream has
 * no such type: KERNEL makes a device or moves one; a PORT stays where and as it is.
 */
import { SERVERS } from "../../kernel/guard.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Netns } from "../../kernel/kernel.ts";
import { portRefusal } from "../../kernel/port.ts";
import { deviceProblems } from "../device-parameters.ts";
import { HOST, type Half } from "../half.ts";
import type { BorrowingKernel, LocalType, TypedMechanism } from "../mechanism-type.ts";
import { COMMON, mtuOf, type ParameterMap, type Parsed, readNumber } from "../parameters.ts";
import type { Side } from "../side.ts";
import { quote } from "../../text/problem.ts";

/** A device in the namespace of its host. */
export interface PortMechanism extends TypedMechanism {
  readonly type: "PORT";
  /** The namespace as the caller names it. Wires can only end in devices of the host's own namespace. */
  readonly netns: Netns;
  readonly device: string;
  /** Tells the device from another one with the same name. Absent: the device that the forwarder finds. */
  readonly index?: number;
  /** MTU of the device in bytes, which limits the wire. Absent: nobody has looked yet. */
  readonly mtuBytes?: number;
}

/** Netloom's own parameter: the index of the device. */
const INDEX = "ifindex";
/** An index is a positive signed 32-bit number. */
const MAX_INDEX = 2 ** 31 - 1;

export const port: Readonly<LocalType<PortMechanism>> = {
  type: "PORT",
  cls: "LOCAL",
  document: "port",
  options: [],
  read,
  write: ({ netns, device, index, mtuBytes }) => ({
    [COMMON.inodeUrl]: netns,
    [COMMON.name]: device,
    ...(index !== undefined && { [INDEX]: String(index) }),
    ...(mtuBytes !== undefined && { [COMMON.mtu]: String(mtuBytes) }),
  }),
  problems,
  mtuBytes: ({ mtuBytes }) => mtuBytes,
  half,
  carrier: "port",
  accept: (offered) => ({ ...offered }),
  forWorkload: ({ netns, port: found }) =>
    found && { [COMMON.inodeUrl]: netns, [COMMON.name]: found.device, [INDEX]: String(found.index) },
  device: ({ netns, device }) => ({ netns, interfaceName: device }),
  // The workload behind the port decides itself which servers it trusts.
  servedBy: () => SERVERS,
  borrow,
};

function read(parameters: ParameterMap): Parsed<PortMechanism> {
  const { [COMMON.inodeUrl]: netns = "", [COMMON.name]: device = "", [INDEX]: given } = parameters;
  const found = deviceProblems(netns, device);
  const index = given === undefined ? undefined : readNumber(given, MAX_INDEX);
  if (given !== undefined && !index) found.push(`ifindex ${quote(given)} is not an index of a device`);
  if (found.length > 0) return { ok: false, problems: found };
  const mtuBytes = mtuOf(parameters);
  const value: PortMechanism = {
    type: "PORT",
    netns: netns as Netns,
    device,
    ...(index !== undefined && { index }),
    ...(mtuBytes > 0 && { mtuBytes }),
  };
  return { ok: true, value };
}

function problems({ device, index }: PortMechanism, side: Side): string[] {
  return index === undefined ? [`Nobody has looked at the ${side}'s port ${device} yet.`] : [];
}

/** Makes no device; the port gets only the program of the cross-connect. */
function half({ device, index }: PortMechanism): Half {
  if (index === undefined) throw new TypeError(`the port ${device} has no index: not a checked wire`);
  return { devices: [], port: { end: { netns: HOST, name: device }, index } };
}

async function borrow(mechanism: PortMechanism, kernel: BorrowingKernel): Promise<Record<string, string>> {
  const { netns, device, index } = mechanism;
  const attempted = `take port ${device}`;
  const [found, host] = [await kernel.resolve(netns), await kernel.resolve(HOST)];
  // A program passes frames only to devices of its own namespace, and two namespaces may use the same index.
  if (found.netns !== host.netns)
    throw new NetloomError("FAILED_PRECONDITION", `${attempted}: it is in another namespace than this host`, {
      topic: "NL-411",
      hint: "a port is a device of the namespace that the agent runs in: move it there, or run an agent where it is",
    });
  const [facts] = await kernel.devices([{ netns: HOST, link: device }]);
  if (!facts) throw new NetloomError("NOT_FOUND", `${attempted}: this host has no device of that name`);
  if (index !== undefined && facts.index !== index)
    throw new NetloomError("NOT_FOUND", `${attempted}: another device has that name by now`);
  const refused = portRefusal(device, facts);
  if (refused) throw refused;
  return port.write({ ...mechanism, index: facts.index, mtuBytes: facts.mtuBytes });
}
