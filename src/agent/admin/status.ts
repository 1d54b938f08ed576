/** The status of a host. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AttachmentRecord } from "../../attachments/attachment-controller.ts";
import type { AttachmentState } from "../../attachments/attachment-state.ts";
import {
  AttachmentStatus_State,
  AttachmentStatusSchema,
  ConditionSchema,
  type ErrorReason,
  ErrorReasonSchema,
  CountersSchema,
  GaugeSchema,
  HostStatusSchema,
  RegistryStatus_State,
  RegistryStatusSchema,
  type AttachmentStatus,
  type HostStatus,
  type RegistryStatus,
  RetryingSchema,
  type Wire,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { NetloomError } from "../../errors/errors.ts";
import { readMeters } from "../../forwarder/meter.ts";
import type { AdminParts } from "./admin-parts.ts";
import { toldDrops } from "./drops.ts";
import { describeUnclaimed, describeWires, refMessage } from "./wires.ts";

export async function hostStatus(parts: AdminParts, withCounters: boolean): Promise<HostStatus> {
  const wires = describeWires(parts);
  if (withCounters) await readCounters(parts, wires);
  return create(HostStatusSchema, {
    host: parts.world.host,
    version: parts.version ?? "",
    url: parts.url,
    startedAt: timestampFromMs(parts.startedAtMs),
    tunnelAddresses: [...parts.tunnelAddresses],
    identity: parts.identity.summary,
    registry: registryStatus(parts),
    attachments: parts.attachments.told().map(attachmentStatus),
    wires,
    unclaimedWires: parts.wires.unclaimed.length,
    unclaimed: describeUnclaimed(parts),
    retrying: parts.world.retries
      .list()
      .map(({ what, sinceMs, failures, reason }) =>
        create(RetryingSchema, { what, since: timestampFromMs(sinceMs), failures, reason }),
      ),
    gauges: parts.world.gauges.read().map((sample) => create(GaugeSchema, sample)),
    ...(await toldDrops(parts)),
  });
}

const STATES: Readonly<Record<AttachmentState, AttachmentStatus_State>> = {
  waiting: AttachmentStatus_State.WAITING,
  requesting: AttachmentStatus_State.REQUESTING,
  up: AttachmentStatus_State.UP,
  healing: AttachmentStatus_State.HEALING,
  failed: AttachmentStatus_State.FAILED,
  closing: AttachmentStatus_State.CLOSING,
};

export function attachmentStatus({
  attached,
  generation,
  observedGeneration,
}: AttachmentRecord): AttachmentStatus {
  const { spec, view, workload, connectionId, endpointName, wires } = attached;
  const { error, nextTryMs } = view;
  return create(AttachmentStatusSchema, {
    ref: refMessage(spec),
    state: STATES[view.state],
    since: timestampFromMs(view.sinceMs),
    reason: view.reason,
    hint: error?.hint ?? "",
    code: error?.code ?? "",
    topic: error?.topic ?? "",
    ...causeMessage(error),
    ...(nextTryMs !== undefined && { nextTry: timestampFromMs(Math.ceil(nextTryMs)) }),
    attempts: view.attempts,
    workload,
    wireId: connectionId,
    endpoint: endpointName,
    wires: wires.size,
    services: [...spec.services],
    generation: BigInt(generation),
    observedGeneration: BigInt(observedGeneration),
    conditions: view.conditions.map(({ sinceMs, ...condition }) =>
      create(ConditionSchema, { ...condition, lastTransition: timestampFromMs(sinceMs) }),
    ),
  });
}

/** The reason of an error, if it has one. */
export function causeMessage(error: NetloomError | undefined): { readonly cause?: ErrorReason } {
  if (!error?.reason) return {};
  const { name, fields } = error.reason;
  return { cause: create(ErrorReasonSchema, { name, fields: { ...fields } }) };
}

function registryStatus({ registry, registryUrl, world }: AdminParts): RegistryStatus {
  const { state, reason = "", staleSinceMs, services, endpoints } = registry.view();
  const { clock } = world;
  const states = {
    unknown: RegistryStatus_State.UNKNOWN,
    fresh: RegistryStatus_State.FRESH,
    stale: RegistryStatus_State.STALE,
  } as const;
  return create(RegistryStatusSchema, {
    url: registryUrl(),
    state: states[state],
    reason,
    services,
    endpoints,
    ...(staleSinceMs !== undefined && {
      staleSince: timestampFromMs(Math.floor(clock.wallMs() - (clock.monotonicMs() - staleSinceMs))),
    }),
  });
}

/** Reads the counters of each end on this host. A device that has just disappeared has none. */
async function readCounters({ wires: kept, kernel }: AdminParts, wires: readonly Wire[]): Promise<void> {
  const ends = wires.flatMap((wire) => {
    const made = kept.made.get(wire.id);
    return (["client", "endpoint"] as const).flatMap((side) => {
      const end = side === "client" ? wire.clientEnd : wire.endpointEnd;
      return made && end ? [{ meter: { ...made, towards: side }, end }] : [];
    });
  });
  const values = await readMeters(
    kernel,
    ends.map(({ meter }) => meter),
  );
  for (const [i, { end }] of ends.entries()) {
    const value = values[i];
    if (value) {
      const { packets, bytes } = value;
      end.received = create(CountersSchema, { packets: BigInt(packets), bytes: BigInt(bytes) });
    }
  }
}
