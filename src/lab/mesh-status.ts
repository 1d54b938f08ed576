/** The wires that agents have made, in the words of a lab's status. */
import {
  AttachmentStatus_State,
  type HostStatus,
  RegistryStatus_State,
  type Wire,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../errors/errors.ts";
import type { Counters } from "../kernel/kernel.ts";
import type { WireStatus } from "./wire-status.ts";

/** Every wire once, from what the hosts of its two ends say. In the order in which the clients' hosts have made them. */
export function wiresOf(answers: ReadonlyMap<string, HostStatus | NetloomError>): WireStatus[] {
  const halves = [...answers].flatMap(([host, answer]) =>
    answer instanceof NetloomError ? [] : answer.wires.map((wire) => ({ host, wire })),
  );
  const near = halves.filter(({ wire }) => wire.clientEnd);
  return near.map(({ host, wire }) => {
    const far = halves.find((each) => each.wire.id === wire.id && each.wire.endpointEnd);
    const end = far?.wire.endpointEnd;
    const differences = far ? [] : [`missing: the half of ${wire.endpoint || "the endpoint"}`];
    const client = received(wire.clientEnd?.received);
    const endpoint = received(end?.received);
    return {
      client: `${host}/${wire.clientEnd?.workload}/${wire.clientEnd?.interface}`,
      endpoint: far ? `${far.host}/${end?.workload}/${end?.interface}` : wire.endpoint,
      addresses: { client: wire.clientAddresses.map(bare), endpoint: wire.endpointAddresses.map(bare) },
      path: wire.path,
      mtuBytes: Math.min(wire.mtu, far?.wire.mtu ?? wire.mtu),
      state: differences.length === 0 ? "up" : "down",
      received: { ...(client && { client }), ...(endpoint && { endpoint }) },
      differences,
    };
  });
}

/** What is not as it was asked for, as sentences. */
export function problemsOf(answers: ReadonlyMap<string, HostStatus | NetloomError>): string[] {
  return [...answers].flatMap(([host, answer]) => {
    if (answer instanceof NetloomError) return [`the agent of ${host} does not answer: ${answer.message}`];
    const registry = answer.registry;
    const isFresh = registry?.state === RegistryStatus_State.FRESH;
    return [
      ...(isFresh ? [] : [`the agent of ${host} does not reach the registry: ${registry?.reason ?? ""}`]),
      ...answer.attachments
        .filter(({ state }) => state !== AttachmentStatus_State.UP)
        .map(({ ref, reason }) => `${ref?.kind} ${ref?.name} of ${host} is not up: ${reason}`),
    ];
  });
}

function received(counters: NonNullable<Wire["clientEnd"]>["received"] | undefined): Counters | undefined {
  return counters && { packets: Number(counters.packets), bytes: Number(counters.bytes) };
}

function bare(address: string): string {
  return address.split("/")[0] ?? "";
}
