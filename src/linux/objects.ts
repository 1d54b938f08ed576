/** The Linux implementation of every kind of kernel object. */
import type { KernelObject } from "../kernel/kernel.ts";
import type { ObjectKindName, ObjectOf } from "../kernel/objects.ts";
import type { LinuxObjectKind } from "./object-kind.ts";
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

const KINDS: { readonly [K in ObjectKindName]: LinuxObjectKind<ObjectOf<K>> } = {
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
export const LINUX_KINDS = Object.values(KINDS);

export function linuxKindOf<T extends KernelObject>(object: T): LinuxObjectKind<T> {
  return KINDS[object.kind] as unknown as LinuxObjectKind<T>;
}
