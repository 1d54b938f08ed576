/**
 * A Linux machine in memory: namespaces with devices, and any number of `Kernel`s on them, one per simulated host.
 *
 * It keeps the promises of the real kernel and its vices: names and VNIs that stay taken for a while after a removal,
 * routes that vanish with a link, half-done batches after a crash, notifications that are lost. Both pass one contract
 * suite (e2e/kernel/kernel-contract.ts). Everything that happens is decided by the clock, the random numbers and the calls.
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

/** A network card that nobody of ours made, up, on a flat segment with all other uplinks of its fabric. */
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

/** Where a packet was taken in, with the link by which it came (`lo` if it never left the namespace). */
export interface Reached {
  readonly netns: Netns;
  readonly link: string;
}

export class SimMachine {
  /** Each is in one of the namespaces. */
  readonly processes: SimProcesses;
  readonly #machine: NetnsMachine;

  constructor(options: SimMachineOptions) {
    this.#machine = new NetnsMachine(options);
    this.processes = new SimProcesses(this.#machine);
  }

  /** Makes the namespace and returns its URL. ALREADY_EXISTS if something is at `path`: `/run/netns/a`, `/proc/7/ns/net`. */
  createNetns(path: string): Netns {
    return urlOf(this.#machine.create(path).path);
  }

  /** From now on `path` leads to the namespace, too. */
  aliasNetns(netns: Netns, path: string): void {
    this.#machine.alias(this.#find(netns), path);
  }

  /** The path leads nowhere from now on; a namespace without any path dies. */
  unnameNetns(path: string): void {
    this.#machine.unname(path);
  }

  /** The namespace dies with everything in it. A path that is not there is a success. */
  removeNetns(path: string): void {
    this.#machine.destroy(path);
  }

  /** Starts a carrier; several of them, one after the other or at once, may serve one host. */
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

  /** A cable that nobody of ours has laid, up. Default of `mtuBytes`: 1500. */
  plantCable([a, b]: readonly [CableEnd, CableEnd], mtuBytes = 1500): void {
    const ends = [
      { ...a, netns: this.#find(a.netns) },
      { ...b, netns: this.#find(b.netns) },
    ] as const;
    plantCable(this.#machine, ends, mtuBytes);
  }

  /** A stranger's route, in the place of any other of a stranger's to there. */
  plantRoute(netns: Netns, route: ForeignRoute): void {
    plantRoute(this.#machine, this.#find(netns), route);
  }

  /** What the owner of a device does with it. */
  changeDevice(netns: Netns, name: string, change: DeviceChange): void {
    changeDevice(this.#machine, this.#device(netns, name), change);
  }

  /** Somebody takes all of one sort off a device, whosever it is. */
  flush(netns: Netns, name: string, what: Flushed): void {
    flush(this.#machine, this.#device(netns, name), what);
  }

  /** Somebody takes off a device of the host's what its program hangs on. */
  dropProgram(netns: Netns, name: string): void {
    dropProgram(this.#machine, this.#device(netns, name));
  }

  /** Somebody removes the rules with this priority. */
  dropRules(netns: Netns, priority: number): void {
    dropRules(this.#machine, this.#find(netns), priority);
  }

  /** Its owner takes it away, and with it the other end of its cable. */
  removeDevice(netns: Netns, name: string): void {
    removeDevice(this.#machine, this.#device(netns, name));
  }

  /** The device by which packets to `address` leave a namespace; `undefined` if no route leads there. NOT_FOUND without the namespace. */
  deviceTowards(netns: Netns, address: string): string | undefined {
    const found = netns === "host" ? this.#machine.root : findNetns(this.#machine, netns);
    if (!found?.isAlive)
      throw new KernelError("NOT_FOUND", `look for a route in ${netns}: there is no network namespace`);
    this.#machine.reap();
    return wayOut(found, address);
  }

  /** Where a packet from the namespace to this address would be taken in now; `undefined` if it is dropped on the way. */
  reaches(from: Netns, address: string, options: { readonly source?: string } = {}): Reached | undefined {
    return this.#follow(from, address, 0, options.source);
  }

  /** Like `reaches`, but the programs on the way count a frame of this size. */
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

/** To whichever uplink of its fabric has it taken in. */
const cross: Transmit = (journey, frame, uplink) => {
  for (const other of journey.machine.uplinks)
    if (other !== uplink && other.fabric === uplink.fabric) {
      const arrival = journey.enter(other, frame);
      if (arrival) return arrival;
    }
  return undefined;
};
