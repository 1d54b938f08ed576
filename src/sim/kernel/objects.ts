/** The simulated implementation of every kind of kernel object. */
import type { KernelObject } from "../../kernel/kernel.ts";
import type { ObjectKindName, ObjectOf } from "../../kernel/objects.ts";
import type { SimObjectKind } from "./object-kind.ts";
import { address } from "./objects/address.ts";
import { externalVxlan } from "./objects/external-vxlan.ts";
import { neighbor } from "./objects/neighbor.ts";
import { program } from "./objects/program.ts";
import { qdisc } from "./objects/qdisc.ts";
import { route } from "./objects/route.ts";
import { rule } from "./objects/rule.ts";
import { sysctl } from "./objects/sysctl.ts";
import { up } from "./objects/up.ts";
import { veth } from "./objects/veth.ts";
import { vxlan } from "./objects/vxlan.ts";

const KINDS: Readonly<{ [K in ObjectKindName]: SimObjectKind<ObjectOf<K>> }> = {
  veth,
  vxlan,
  "external-vxlan": externalVxlan,
  up,
  address,
  route,
  rule,
  neighbor,
  program,
  qdisc,
  sysctl,
};

/** All kinds, in the order of `observe`. */
export const SIM_KINDS: readonly (typeof KINDS)[ObjectKindName][] = Object.values(KINDS);

export function simKindOf<T extends KernelObject>(object: T): SimObjectKind<T> {
  return KINDS[object.kind] as unknown as SimObjectKind<T>;
}
