/**
 * A Linux machine in memory: namespaces with devices, and any number of `Kernel`s on them, one per simulated host.
 *
 * It simulates the unpleasant habits of a real kernel too: names and VNIs stay taken for a while after a removal, routes
 * vanish with a link, batches are half done after a crash, notifications are lost. Both kernels pass one contract suite
 * (e2e/kernel/kernel-contract.ts). All behaviour is determined by the clock, the random numbers and the calls.
 */
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import { SimKernel, type SimKernelOptions } from "./carrier.ts";
import { findNetns, NetnsMachine, type SimMachineOptions } from "./machine.ts";
import { followPacket, wayOut } from "./reach.ts";
import {
  type CableEnd,
  changeDevice,
  type DeviceChange,
  foreign,
  type ForeignRoute,
  plantCable,
  plantRoute,
  removeDevice,
} from "./foreign-devices.ts";
import { type Arrival, type SimDevice, type SimNetns, type Transmit, urlOf } from "./state.ts";
import { dropProgram, dropRules, flush, type Flushed } from "./tampering.ts";
import { SimProcesses } from "./processes.ts";

export type { SimKernel, SimKernelOptions } from "./carrier.ts";
export type { SimMachineOptions } from "./machine.ts";

/** A network card that Netloom did not make, up, on a flat segment with all other uplinks of its fabric. */
export interface Uplink {
  readonly netns: Netns;
  readonly name: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** Default: 1500. */
  readonly mtuBytes?: number;
  /** Default: `underlay`. */
  readonly fabric?: string;
}

/** The namespace that accepted a packet, and the link that it arrived on (`lo` if it never left the namespace). */
export interface Reached {
  readonly netns: Netns;
  readonly link: string;
}

export class SimMachine {
  /** Processes of the machine, each in one of the namespaces. */
  readonly processes: SimProcesses;
  readonly #machine: NetnsMachine;

  constructor(options: SimMachineOptions) {
    this.#machine = new NetnsMachine(options);
    this.processes = new SimProcesses(this.#machine);
  }

  /** Creates a namespace and returns its URL. ALREADY_EXISTS if `path` is in use: `/run/netns/a`, `/proc/7/ns/net`. */
  createNetns(path: string): Netns {
    return urlOf(this.#machine.create(path).path);
  }

  /** Adds `path` as another name of the namespace. */
  aliasNetns(netns: Netns, path: string): void {
    this.#machine.alias(this.#find(netns), path);
  }

  /** Removes a name. A namespace without any name dies. */
  unnameNetns(path: string): void {
    this.#machine.unname(path);
  }

  /** Removes the namespace with everything in it. Succeeds if the path does not exist. */
  removeNetns(path: string): void {
    this.#machine.destroy(path);
  }

  /** Starts a `Kernel`. One host may have several, one after the other or at once. */
  kernel(options: SimKernelOptions = {}): SimKernel {
    return new SimKernel(this.#machine, options);
  }

  plantUplink(uplink: Uplink): void {
    const netns = this.#find(uplink.netns);
    const device = foreign(this.#machine, {
      kind: "uplink",
      transmit: cross,
      netns,
      name: uplink.name,
      mtuBytes: uplink.mtuBytes ?? 1500,
      addresses: uplink.addresses,
      fabric: uplink.fabric ?? "underlay",
    });
    this.#machine.uplinks.add(device);
  }

  /** Adds a cable that Netloom did not make, up. Default of `mtuBytes`: 1500. */
  plantCable([a, b]: readonly [CableEnd, CableEnd], mtuBytes = 1500): void {
    const ends = [
      { ...a, netns: this.#find(a.netns) },
      { ...b, netns: this.#find(b.netns) },
    ] as const;
    plantCable(this.#machine, ends, mtuBytes);
  }

  /** Adds a foreign route, and replaces other foreign routes to its destination. */
  plantRoute(netns: Netns, route: ForeignRoute): void {
    plantRoute(this.#machine, this.#find(netns), route);
  }

  /** Changes a device, as its owner does. */
  changeDevice(netns: Netns, name: string, change: DeviceChange): void {
    changeDevice(this.#machine, this.#device(netns, name), change);
  }

  /** Removes all objects of one sort from a device, whoever has made them, as another program might. */
  flush(netns: Netns, name: string, what: Flushed): void {
    flush(this.#machine, this.#device(netns, name), what);
  }

  /** Removes the program of a device in the host, as another program might. */
  dropProgram(netns: Netns, name: string): void {
    dropProgram(this.#machine, this.#device(netns, name));
  }

  /** Removes the rules with this priority, as another program might. */
  dropRules(netns: Netns, priority: number): void {
    dropRules(this.#machine, this.#find(netns), priority);
  }

  /** Removes a device and the other end of its cable, as its owner does. */
  removeDevice(netns: Netns, name: string): void {
    removeDevice(this.#machine, this.#device(netns, name));
  }

  /**
   * The device that packets to `address` leave a namespace by; `undefined` without a route. NOT_FOUND without the
   * namespace.
   */
  deviceTowards(netns: Netns, address: string): string | undefined {
    const found = netns === "host" ? this.#machine.root : findNetns(this.#machine, netns);
    if (!found?.isAlive)
      throw new KernelError("NOT_FOUND", `look for a route in ${netns}: there is no network namespace`);
    this.#machine.reap();
    return wayOut(found, address);
  }

  /** The namespace that would accept a packet to this address now; `undefined` if the packet is dropped on the way. */
  reaches(from: Netns, address: string, options: { readonly source?: string } = {}): Reached | undefined {
    return this.#follow(from, address, 0, options.source);
  }

  /** As `reaches`, but the programs on the way count a frame of this size. */
  send(
    from: Netns,
    address: string,
    bytes: number,
    options: { readonly source?: string } = {},
  ): Reached | undefined {
    return this.#follow(from, address, bytes, options.source);
  }

  #follow(from: Netns, to: string, bytes: number, source: string | undefined): Reached | undefined {
    this.#machine.reap();
    const packet = { to, bytes, ...(source === undefined ? {} : { source }) };
    const arrival: Arrival | undefined = followPacket(this.#machine, this.#find(from), packet);
    return arrival && { netns: urlOf(arrival.netns.path), link: arrival.link };
  }

  #device(netns: Netns, name: string): SimDevice {
    const device = this.#find(netns).devices.get(name);
    if (!device) throw new TypeError(`there is no device ${name} in ${netns}`);
    return device;
  }

  #find(netns: Netns): SimNetns {
    const found = netns === "host" ? this.#machine.root : findNetns(this.#machine, netns);
    if (!found) throw new TypeError(`there is no network namespace ${netns}`);
    return found;
  }
}

/** Delivers a frame to the uplink of the same fabric that accepts it. */
const cross: Transmit = (journey, frame, uplink) => {
  for (const other of journey.machine.uplinks)
    if (other !== uplink && other.fabric === uplink.fabric) {
      const arrival = journey.enter(other, frame);
      if (arrival) return arrival;
    }
  return undefined;
};
