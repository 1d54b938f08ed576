/** A wire as all commands show it, whoever has made it. */
import type { Side } from "../mechanisms/side.ts";
import type { State } from "./state.ts";
import type { HopView } from "./way.ts";

/** Packets and bytes that came to an end through its wire. */
export interface Received {
  readonly packets: number;
  readonly bytes: number;
}

/** The device of a workload at one end of a wire. */
export interface InterfaceView {
  readonly host: string;
  /** Its name on `host`: `web`. */
  readonly workload: string;
  readonly netns: string;
  readonly interface: string;
  /** The device is the workload: it was there before, and is in no namespace of its own. */
  readonly isPort?: true;
  readonly received?: Received;
}

/** The answer to one packet. Neither of the two: nobody has an answer to give, such as one without a namespace. */
export interface PingView {
  /** Of the far end. */
  readonly address: string;
  /** Round-trip time. Absent: no answer came in by the wire's own device. */
  readonly rttMs?: number;
  /** Why there is none: `timeout`, `ENETUNREACH`. */
  readonly reason?: string;
}

interface AttachmentName {
  readonly host: string;
  readonly kind: string;
  readonly name: string;
}

/** On all hosts that it passes, since their agents have started. */
export interface PutRightView {
  readonly count: number;
  readonly lastAt: string;
  /** What was done then, with its host: `alpha: add up to-db, and 3 more`. */
  readonly last: string;
}

export interface WireView {
  /** For people: `alpha/web/nsm-1`. Its id if nothing is known of its client. */
  readonly wire: string;
  readonly id: string;
  readonly service: string;
  /** Names of the two ends in the path: `alpha/web` and `db.beta`. */
  readonly client: string;
  readonly endpoint: string;
  /** What the client's workload is called on its host, if it is known. */
  readonly clientWorkload?: string;
  /** For people, from the client to the endpoint: `veth on alpha`, `vxlan vni 4242 alpha→beta`. */
  readonly path: string;
  /** Hosts that it passes, from the client's to the endpoint's; empty for one whose name is not known. None if no host is. */
  readonly hosts: readonly string[];
  /** The path as data. A wire inside of a host has one hop. */
  readonly hops: readonly HopView[];
  readonly addresses: Readonly<Record<Side, readonly string[]>>;
  readonly mtuBytes: number;
  /** What is worth knowing of it while it is up, as sentences without a full stop. Empty if all is well. */
  readonly notes: readonly string[];
  readonly payload: string;
  readonly state: State;
  readonly upSince?: string;
  /** Of the ends whose hosts were asked. */
  readonly interfaces: Readonly<Partial<Record<Side, InterfaceView>>>;
  /** Why it is down, where its attachment does not say it. */
  readonly reason?: string;
  /** Those that have asked for it or serve it, on any of the hosts. */
  readonly attachments: readonly AttachmentName[];
  /** What is not as it has to be, as sentences: `missing: …`, `changed: …`, `unexpected: …`. Empty if all is well. */
  readonly differences: readonly string[];
  /** What others had changed of it, and was put right; absent if that was never needed. */
  readonly putRight?: PutRightView;
  /** For each address of the endpoint; only if packets were sent through it. */
  readonly ping?: readonly PingView[];
}

/** The name of an end: `host/workload/interface`, `host/port`, or as the path calls it where its device is not known. */
export function endName(wire: Pick<WireView, "interfaces" | Side>, side: Side): string {
  const device = wire.interfaces[side];
  return device ? `${device.host}/${placeName(device)}` : wire[side];
}

/** The same without the host. */
export function placeName({ workload, interface: name, isPort }: InterfaceView): string {
  return isPort === true ? workload : `${workload}/${name}`;
}
