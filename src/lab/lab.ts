/** Labs on this machine: up, down, status. Signatures; see docs/lab.md. */
import type { LinuxMachine } from "../linux/machine.ts";
import type { Counters } from "../world/kernel.ts";
import type { Lab } from "./model.ts";

/** What `up` did. All counts are zero when everything was as wanted. */
export interface UpReport {
  readonly lab: Lab;
  /** False: the lab was there and nothing had to change. */
  readonly changed: boolean;
  readonly namespaces: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Kernel objects of the underlay and of the wires that were added, changed or removed. */
  readonly operations: number;
  /** Names `host/workload/interface` of the wires that were added, changed or removed. */
  readonly wires: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
  readonly durationMs: number;
}

export interface DownReport {
  /** False: there was nothing of this lab. */
  readonly existed: boolean;
  readonly namespaces: readonly string[];
  readonly durationMs: number;
}

export interface WireStatus {
  /** `host/workload/interface` of both sides. */
  readonly client: string;
  readonly endpoint: string;
  readonly addresses: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
  /** `veth on alpha`, or `vxlan vni 4242 alpha→beta`. */
  readonly path: string;
  readonly mtuBytes: number;
  readonly state: "up" | "down";
  /** What each side received; absent where no program counts. */
  readonly received: { readonly client?: Counters; readonly endpoint?: Counters };
  /** Sentences: what differs from wanted. Empty when all is well. */
  readonly differences: readonly string[];
  /** Per address of the endpoint; only when asked for. */
  readonly ping?: readonly { readonly address: string; readonly rttMs: number | undefined }[];
}

export interface LabStatus {
  readonly name: string;
  readonly lab: Lab;
  readonly underlay: { readonly state: "up" | "degraded"; readonly differences: readonly string[] };
  readonly wires: readonly WireStatus[];
}

/**
 * Makes the lab of the file `file` with the content `text` so, whatever is there now. If it fails half-way the machine
 * is as it was. INVALID_ARGUMENT (a `LabFileError` with all problems) if the file is wrong.
 */
export declare function up(machine: LinuxMachine, text: string, file: string): Promise<UpReport>;

/** Removes all of the lab `name`: also what a killed `up` left. */
export declare function down(machine: LinuxMachine, name: string): Promise<DownReport>;

/** NOT_FOUND if the lab is not up. */
export declare function status(
  machine: LinuxMachine,
  name: string,
  options?: { readonly ping?: boolean },
): Promise<LabStatus>;

/** Names of the labs on this machine, sorted; also of those that a crash left half-made. */
export declare function list(): Promise<string[]>;
