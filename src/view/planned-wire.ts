/** A wire without an agent: compares the objects found on its hosts with its plan. */
import type { Operation } from "../kernel/kernel.ts";
import type { Side } from "../mechanisms/side.ts";
import { differencesOf } from "./differences.ts";
import { mtuNotes } from "./mtu-notes.ts";
import { type HopView, pathWords } from "./way.ts";
import { endName, type InterfaceView, type Received, type WireView } from "./wire-view.ts";

export interface PlannedWire {
  readonly id: string;
  readonly interfaces: Readonly<Record<Side, Omit<InterfaceView, "received">>>;
  readonly addresses: WireView["addresses"];
  readonly hops: readonly HopView[];
  readonly mtuBytes: number;
  /** The objects found on each host, the client's first. */
  readonly found: readonly FoundHalf[];
}

export interface FoundHalf {
  readonly host: string;
  /** The operations from the found objects to the plan. Absent if the host is missing. */
  readonly operations?: readonly Operation[];
  readonly received: Readonly<Partial<Record<Side, Received>>>;
}

export function plannedWire(planned: PlannedWire): WireView {
  const { id, addresses, hops, mtuBytes, found } = planned;
  const end = (side: Side): InterfaceView => {
    const received = found.map((half) => half.received[side]).find((counted) => counted !== undefined);
    return { ...planned.interfaces[side], ...(received && { received }) };
  };
  const interfaces = { client: end("client"), endpoint: end("endpoint") };
  const workload = ({ host, workload: name }: InterfaceView): string => `${host}/${name}`;
  const [client, endpoint] = [workload(interfaces.client), workload(interfaces.endpoint)];
  // Extra objects beside the plan do no harm.
  const isUp = found.every(
    ({ operations }) =>
      operations && differencesOf(operations.filter(({ verb }) => verb !== "remove")).length === 0,
  );
  return {
    wire: endName({ interfaces, client, endpoint }, "client"),
    id,
    service: "",
    client,
    endpoint,
    clientWorkload: interfaces.client.workload,
    path: pathWords(hops),
    hosts: found.map(({ host }) => host),
    hops,
    addresses,
    mtuBytes,
    notes: mtuNotes(mtuBytes, hops),
    payload: "IP",
    state: isUp ? "up" : "down",
    interfaces,
    attachments: [],
    differences: found.flatMap((half) =>
      half.operations ? differencesOf(half.operations) : [`missing: host ${half.host}`],
    ),
  };
}
