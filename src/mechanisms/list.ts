/** All mechanisms, best first within their class. */
import { type Server, SERVERS } from "../kernel/guard.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Netns } from "../kernel/kernel.ts";
import { kernel } from "./kernel/kernel.ts";
import { port } from "./port/port.ts";
import type {
  DeviceRequest,
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

/** A new mechanism is one more entry. */
const LIST = [kernel, port, vxlan] as const;

/** A parsed mechanism of any type. */
export type Mechanism = MechanismOf<(typeof LIST)[number]>;

export const MECHANISMS: readonly MechanismType[] = LIST;
export const LOCAL_TYPES: readonly LocalType[] = MECHANISMS.filter((each) => each.cls === "LOCAL");
export const REMOTE_TYPES: readonly RemoteType[] = MECHANISMS.filter((each) => each.cls === "REMOTE");

/** Upstream's other mechanisms for a workload of the same host: Netloom does not have them, but they are local all the same. */
const STRANGE_LOCAL_TYPES: readonly string[] = ["MEMIF", "VFIO"];

/** Whether the mechanism is only for callers of the same host. A missing or wrong class does not change the class of the type. */
export function isLocalMechanism({ cls, type }: { readonly cls: string; readonly type: string }): boolean {
  const known = MECHANISMS.find((each) => each.type === type);
  return cls === "LOCAL" || known?.cls === "LOCAL" || STRANGE_LOCAL_TYPES.includes(type);
}

/** Parses the mechanism of an NSM answer. INVALID_ARGUMENT with all problems. */
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

/** A mechanism for a device of this name in a namespace. */
export function deviceIn(netns: Netns, interfaceName: string): Mechanism {
  const { type, parameters } = preferenceFor({ netns }, { name: interfaceName });
  return readMechanism({ type, parameters });
}

/** The definition of a mechanism's type. */
export function typeOf({ type }: TypedMechanism): MechanismType {
  const known = MECHANISMS.find((each) => each.type === type);
  if (!known) throw new TypeError(`there is no mechanism ${type}`);
  return known;
}

/** The definition of a tunnel's type; `undefined` for a device of a workload. */
export function remoteTypeOf(mechanism: TypedMechanism): RemoteType | undefined {
  const type = typeOf(mechanism);
  return type.cls === "REMOTE" ? type : undefined;
}

/** The mechanism's Netloom device in a workload; `undefined` for a port or a tunnel. */
export function deviceOf(mechanism: TypedMechanism): WorkloadDevice | undefined {
  return isBorrowed(mechanism) ? undefined : endOf(mechanism);
}

/** Whether the mechanism is a borrowed device. */
export function isBorrowed(mechanism: TypedMechanism): boolean {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" && type.borrow !== undefined;
}

/** The mechanism's device at the end of a wire, whoever made it; `undefined` for a tunnel. */
export function endOf(mechanism: TypedMechanism): WorkloadDevice | undefined {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" ? type.device(mechanism) : undefined;
}

/** The servers that the other end of a wire may be for this end. For a workload of another host, that host decides. */
export function servedFor(mechanism: TypedMechanism): readonly Server[] {
  const type = typeOf(mechanism);
  return type.cls === "LOCAL" ? type.servedBy(mechanism) : SERVERS;
}

/** The mechanism to ask a forwarder for, for a workload at `place`. */
export function preferenceFor(
  place: WorkloadPlace,
  requested: DeviceRequest,
): { readonly cls: MechanismClass; readonly type: string; readonly parameters: Record<string, string> } {
  const type = typeFor(place);
  const said = Object.entries(type.forWorkload(place, requested) ?? {}).filter(([, value]) => value !== "");
  return { cls: type.cls, type: type.type, parameters: Object.fromEntries(said) };
}

/** The first local type that fits such a workload. */
export function typeFor(place: WorkloadPlace): LocalType {
  const found = LOCAL_TYPES.find((each) => each.forWorkload(place, { name: "" }) !== undefined);
  if (!found) throw new TypeError("there is no mechanism for such a workload");
  return found;
}
