/** One operation on the simulated machine: done at once, and handed back as what undoes it. */
import { isDevice } from "../kernel/objects.ts";
import { settingsOf } from "../kernel/objects/sysctl.ts";
import type { KernelObject, Operation, Program, Qdisc, Sysctl } from "../kernel/kernel.ts";
import {
  type Actor,
  addVxlan,
  addVeth,
  changeDevice,
  deviceOf,
  hideDevice,
  setDown,
  type Undo,
} from "./kernel-links.ts";
import {
  addAddress,
  addNeighbor,
  addRoute,
  addRule,
  changeAddress,
  removeAddress,
  removeNeighbor,
  removeRoute,
  removeRule,
} from "./kernel-routing.ts";
import { Refused, type SimNetns } from "./kernel-state.ts";

/** Does it, or throws `Refused` and leaves everything as it was. A link that is removed has yet to be buried. */
export function perform(actor: Actor, operation: Operation): Undo {
  switch (operation.verb) {
    case "add":
      return add(actor, operation.object);
    case "change":
      return change(actor, operation.object, operation.from);
    default:
      return remove(actor, operation.object) ?? nothing;
  }
}

const nothing: Undo = () => {};

function add(actor: Actor, object: KernelObject): Undo {
  switch (object.kind) {
    case "veth":
      return addVeth(actor, object);
    case "vxlan":
      return addVxlan(actor, object);
    case "up":
      return setUp(actor, actor.find(object.netns), object.link);
    case "address":
      return addAddress(actor, object);
    case "route":
      return addRoute(actor, object);
    case "rule":
      return addRule(actor, object);
    case "neighbor":
      return addNeighbor(actor, object);
    case "program":
      return addProgram(actor, object);
    case "qdisc":
      return addQdisc(actor, object);
    case "sysctl":
    default:
      return setSysctl(actor, object);
  }
}

/** `undefined` if there was nothing to remove. */
function remove(actor: Actor, object: KernelObject): Undo | undefined {
  // What was in a namespace has gone with it.
  if (!isDevice(object) && !actor.lookUp(object.netns)) return undefined;
  switch (object.kind) {
    case "veth":
    case "vxlan":
      return hideDevice(actor, object);
    case "up": {
      const device = actor.find(object.netns).devices.get(object.link);
      return device && setDown(actor, device);
    }
    case "address":
      return removeAddress(actor, object);
    case "route":
      return removeRoute(actor, object);
    case "rule":
      return removeRule(actor, object);
    case "neighbor":
      return removeNeighbor(actor, object);
    case "program":
      return removeProgram(actor, object);
    case "qdisc":
      return removeQdisc(actor, object);
    case "sysctl":
    default:
      return undefined;
  }
}

function change(actor: Actor, object: KernelObject, from: KernelObject): Undo {
  if (object.kind === "veth" || object.kind === "vxlan") return changeDevice(actor, object);
  if (object.kind === "address" && from.kind === "address") return changeAddress(actor, object, from);
  if (object.kind === "up") return add(actor, object);
  if (object.kind === "sysctl") return setSysctl(actor, object);
  const undoRemoval = remove(actor, from);
  if (!undoRemoval) throw new Refused("ENOENT", `there is no such ${object.kind}`);
  try {
    const undoAddition = add(actor, object);
    return () => {
      undoAddition();
      undoRemoval();
    };
  } catch (error) {
    undoRemoval();
    throw error;
  }
}

function setUp(actor: Actor, netns: SimNetns, link: string): Undo {
  const device = deviceOf(netns, link);
  if (device.isUp) return nothing;
  device.isUp = true;
  actor.machine.announce(netns, { type: "link", link, change: "new" });
  // On its way down again it would lose what it already had when it was down.
  const addresses = [...device.addresses];
  const neighbors = [...device.neighbors];
  return () => {
    setDown(actor, device);
    for (const address of addresses) device.addresses.add(address);
    for (const [key, neighbor] of neighbors) device.neighbors.set(key, neighbor);
  };
}

function addProgram(actor: Actor, object: Program): Undo {
  const netns = actor.find(object.netns);
  const device = deviceOf(netns, object.link);
  const target = object.target === undefined ? undefined : deviceOf(netns, object.target);
  if (device.program) throw new Refused("EEXIST", "the device has a program");
  device.program = { verdict: object.verdict, target, pins: actor.pins, packets: 0, bytes: 0 };
  return () => {
    device.program = undefined;
  };
}

function removeProgram(actor: Actor, object: Program): Undo | undefined {
  const device = actor.find(object.netns).devices.get(object.link);
  const program = device?.program;
  if (!device || program?.pins !== actor.pins) return undefined;
  device.program = undefined;
  return () => {
    if (!device.isDoomed) device.program = program;
  };
}

function addQdisc(actor: Actor, object: Qdisc): Undo {
  const device = deviceOf(actor.find(object.netns), object.link);
  if (device.qdisc) throw new Refused("EEXIST", "the device has a root qdisc");
  device.qdisc = object.shape;
  return () => {
    device.qdisc = undefined;
  };
}

function removeQdisc(actor: Actor, object: Qdisc): Undo | undefined {
  const device = actor.find(object.netns).devices.get(object.link);
  const shape = device?.qdisc;
  if (!device || !shape) return undefined;
  device.qdisc = undefined;
  return () => {
    if (!device.isDoomed) device.qdisc = shape;
  };
}

function setSysctl(actor: Actor, object: Sysctl): Undo {
  const { sysctls, devices } = actor.find(object.netns);
  const isThere = object.link === undefined || object.link === "lo" || devices.has(object.link);
  if (!isThere && object.isOptional) return nothing;
  const settings = settingsOf(object);
  if (!isThere || !settings.every(([name]) => name.startsWith("net/")))
    throw new Refused("ENOENT", "there is no such setting");
  const before = settings.map(([name]) => [name, sysctls.get(name)] as const);
  for (const [name, value] of settings) sysctls.set(name, value);
  return () => {
    for (const [name, value] of before)
      if (value === undefined) sysctls.delete(name);
      else sysctls.set(name, value);
  };
}
