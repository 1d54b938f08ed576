/** A wire in the output of all commands. */
import type { Side } from "../mechanisms/side.ts";
import type { ConditionView } from "./condition-view.ts";
import type { State } from "./state.ts";
import type { HopView } from "./way.ts";

/** Packets and bytes that arrived at an end through its wire. */
export interface Received {
  readonly packets: number;
  readonly bytes: number;
}

/** The device of a workload at one end of a wire. */
export interface InterfaceView {
  readonly host: string;
  /** The workload's name on `host`: `web`. */
  readonly workload: string;
  readonly netns: string;
  readonly interface: string;
  /** The device is the workload: a borrowed device of the host, without its own namespace. */
  readonly isPort?: true;
  readonly received?: Received;
}

/** The answer to one packet. `rttMs` and `reason` may both be absent, for instance if the namespace is missing. */
export interface PingView {
  /** Address of the far end. */
  readonly address: string;
  /** Round-trip time in milliseconds. Absent if no answer came in by the wire's own device. */
  readonly rttMs?: number;
  /** The reason for no answer: `timeout`, `ENETUNREACH`. */
  readonly reason?: string;
}

interface AttachmentName {
  readonly host: string;
  readonly kind: string;
  readonly name: string;
}

/** Repairs of the wire on all its hosts, since the start of their agents. */
export interface PutRightView {
  readonly count: number;
  readonly lastAt: string;
  /** The last repair, with its host: `alpha: add up to-db, and 3 more`. */
  readonly last: string;
}

export interface WireView {
  /** Name for people: `alpha/web/nsm-1`. The id if the client is not known. */
  readonly wire: string;
  readonly id: string;
  readonly service: string;
  /** Names of the two ends in the path: `alpha/web` and `db.beta`. */
  readonly client: string;
  readonly endpoint: string;
  /** Name of the client's workload on its host, if it is known. */
  readonly clientWorkload?: string;
  /** The path in words, from the client to the endpoint: `veth on alpha`, `vxlan vni 4242 alpha→beta`. */
  readonly path: string;
  /** Hosts of the path, from the client's to the endpoint's. A name that is not known is empty. No items if no host is known. */
  readonly hosts: readonly string[];
  /** The path as data. A wire inside of a host has one hop. */
  readonly hops: readonly HopView[];
  readonly addresses: Readonly<Record<Side, readonly string[]>>;
  readonly mtuBytes: number;
  /** Notes on a wire that is up, as sentences without a full stop. Empty if all is well. */
  readonly notes: readonly string[];
  readonly payload: string;
  readonly state: State;
  readonly upSince?: string;
  /** Devices of the ends whose hosts were asked. */
  readonly interfaces: Readonly<Partial<Record<Side, InterfaceView>>>;
  /** The reason why the wire is down, if its attachment does not give it. */
  readonly reason?: string;
  /** The attachments that request or serve the wire, on any of the hosts. */
  readonly attachments: readonly AttachmentName[];
  /** Differences from the desired state, as sentences: `missing: …`, `changed: …`, `unexpected: …`. Empty if all is well. */
  readonly differences: readonly string[];
  /** The facts of its hosts about its packets. Absent: none. */
  readonly reachable?: ConditionView;
  /** Repairs after changes by others. Absent if there were none. */
  readonly putRight?: PutRightView;
  /** Answers for each address of the endpoint. Absent if no packets were sent. */
  readonly ping?: readonly PingView[];
}

/** The name of an end: `host/workload/interface`, `host/port`, or the name in the path if its device is not known. */
export function endName(wire: Pick<WireView, "interfaces" | Side>, side: Side): string {
  const device = wire.interfaces[side];
  return device ? `${device.host}/${placeName(device)}` : wire[side];
}

/** The name of an end without the host. */
export function placeName({ workload, interface: name, isPort }: InterfaceView): string {
  return isPort === true ? workload : `${workload}/${name}`;
}
