/** The mechanisms that there are, best first within their class. */
import { type Server, SERVERS } from "../kernel/guard.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Netns } from "../kernel/kernel.ts";
import { kernel } from "./kernel/kernel.ts";
import { port } from "./port/port.ts";
import type {
  DeviceWish,
  LocalType,
  MechanismClass,
  MechanismOf,
  MechanismType,
  RemoteType,
  TypedMechanism,
  WorkloadDevice,
  WorkloadPlace,
} from "./mechanism-type.ts";
import type { ParameterMap } from "./parameters.ts";
import { vxlan } from "./vxlan/vxlan.ts";

/** A new one is one more entry. */
const LIST = [kernel, port, vxlan] as const;

/** A mechanism of any type, as it was read. */
export type Mechanism = MechanismOf<(typeof LIST)[number]>;

export const MECHANISMS: readonly MechanismType[] = LIST;
export const LOCAL_TYPES: readonly LocalType[] = MECHANISMS.filter((each) => each.cls === "LOCAL");
export const REMOTE_TYPES: readonly RemoteType[] = MECHANISMS.filter((each) => each.cls === "REMOTE");

/** Upstream's other mechanisms for a workload of the same host: none of ours, and still nobody else's. */
const STRANGE_LOCAL_TYPES: readonly string[] = ["MEMIF", "VFIO"];

/** Is it for callers of the same host only? A class that is not given, or wrong, does not change what the type is. */
export function isLocalMechanism({ cls, type }: { readonly cls: string; readonly type: string }): boolean {
  const known = MECHANISMS.find((each) => each.type === type);
  return cls === "LOCAL" || known?.cls === "LOCAL" || STRANGE_LOCAL_TYPES.includes(type);
}

/** A message of NSM, as it was answered. INVALID_ARGUMENT with all that is wrong. */
export function readMechanism(message: {
  readonly type: string;
  readonly parameters: ParameterMap;
}): Mechanism {
  const { type, parameters } = message;
  const known = MECHANISMS.find((each) => each.type === type);
  if (!known) throw new NetloomError("INVALID_ARGUMENT", `read mechanism ${type}: it is not supported`);
  const read = known.read(parameters);
  if (read.ok) return read.value as Mechanism;
  throw new NetloomError("INVALID_ARGUMENT", `read mechanism ${type}: ${read.problems.join(", ")}`);
}

/** A device of this name in a namespace. */
export function deviceIn(netns: Netns, interfaceName: string): Mechanism {
  const { type, parameters } = preferenceFor({ netns }, { name: interfaceName });
  return readMechanism({ type, parameters });
}

/** All that is known of a mechanism's type. */
export function typeOf({ type }: TypedMechanism): MechanismType {
  const known = MECHANISMS.find((each) => each.type === type);
  if (!known) throw new TypeError(`there is no mechanism ${type}`);
  return known;
}

/** The same of a tunnel, `undefined` for a device of a workload. */
export function remoteTypeOf(mechanism: TypedMechanism): RemoteType | undefined {
  const type = typeOf(mechanism);
  return type.cls === "REMOTE" ? type : undefined;
}

/** The device of ours in a workload that a mechanism is; `undefined` for a port and a tunnel. */
export function deviceOf(mechanism: TypedMechanism): WorkloadDevice | undefined {
  return isBorrowed(mechanism) ? undefined : endOf(mechanism);
}

/** Is it a device that somebody else has made? */
export function isBorrowed(mechanism: TypedMechanism): boolean {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" && type.borrow !== undefined;
}

/** The device at the end of a wire that a mechanism is, whoever has made it; `undefined` for a tunnel. */
export function endOf(mechanism: TypedMechanism): WorkloadDevice | undefined {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" ? type.device(mechanism) : undefined;
}

/** What the other end of a wire may be for this one. Of a workload on another host its own host decides. */
export function servedFor(mechanism: TypedMechanism): readonly Server[] {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" ? type.servedBy(mechanism) : SERVERS;
}

/** What is asked of a forwarder for a workload there. */
export function preferenceFor(
  place: WorkloadPlace,
  wish: DeviceWish,
): { readonly cls: MechanismClass; readonly type: string; readonly parameters: Record<string, string> } {
  const type = typeFor(place);
  const said = Object.entries(type.forWorkload(place, wish) ?? {}).filter(([, value]) => value !== "");
  return { cls: type.cls, type: type.type, parameters: Object.fromEntries(said) };
}

/** The first type for such a workload. */
export function typeFor(place: WorkloadPlace): LocalType {
  const found = LOCAL_TYPES.find((each) => each.forWorkload(place, { name: "" }) !== undefined);
  if (!found) throw new TypeError("there is no mechanism for such a workload");
  return found;
}
