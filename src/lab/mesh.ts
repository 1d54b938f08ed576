/** Applies the attachments of a lab to its agents, and reads their statuses. */
import { create } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { type Ref, refOf, refText } from "../attachments/spec.ts";
import { DOCUMENTS } from "../documents/documents.ts";
import {
  Agent as AgentApi,
  AttachmentStatus_State,
  RegistryStatus_State,
  DeleteRequestSchema,
  ApplyRequestSchema,
  StatusRequestSchema,
  type AttachmentStatus,
  type HostStatus,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, watch } from "../api/rpc.ts";
import { GrpcHop } from "../transport/grpc-client.ts";
import { hasCode, NetloomError } from "../errors/errors.ts";
import { agentSocket } from "./daemons.ts";
import type { Lab, LabAttachment } from "./file/model.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";

/** The state of an attachment at the end of a command. */
export interface LabAttachmentState {
  readonly host: string;
  readonly ref: Ref;
  readonly isUp: boolean;
  /** The reason why the attachment is not up. Empty if it is up. */
  readonly reason: string;
}

/** Time for which a command waits for attachments to be up. The agents keep trying after it. */
const PATIENCE_MS = 10_000;
const CALL_MS = 20_000;
const MIN_INTERVAL_MS = 5;

/** Deletes the attachments of agents that `lab` does not have any more. An agent that does not answer keeps them. */
export async function withdrawAttachments(before: Lab, lab: Lab): Promise<void> {
  const hosts = new Set((lab.mesh?.agents ?? []).map(({ host }) => host));
  const leaving = (before.mesh?.attachments ?? []).filter(({ host }) => !hosts.has(host));
  for (const [host, each] of byHost(leaving)) {
    try {
      await withdraw(before.name, host, each);
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE", "DEADLINE_EXCEEDED")) throw error;
    }
  }
}

/** Deletes the attachments that only `before` has, then applies those of `lab`, the offered services first. */
export async function bringAttachments(lab: Lab, before: Lab | undefined): Promise<LabAttachmentState[]> {
  const wanted = lab.mesh?.attachments ?? [];
  const keys = new Set(wanted.map(keyOf));
  const gone = (before?.mesh?.attachments ?? []).filter((each) => !keys.has(keyOf(each)));
  const hosts = new Set((lab.mesh?.agents ?? []).map(({ host }) => host));
  for (const [host, each] of byHost(gone)) {
    if (!hosts.has(host)) continue;
    await withdraw(lab.name, host, each);
  }
  const isAsking = ({ spec }: LabAttachment): boolean => DOCUMENTS.of(spec).end === "client";
  const offers = wanted.filter((each) => !isAsking(each));
  const asks = wanted.filter(isAsking);
  return [...(await apply(lab.name, offers)), ...(await apply(lab.name, asks))];
}

/**
 * Resolves when the agents of these hosts have fresh data of the registry: an agent that started before its registry
 * tries again a moment later. Waits no longer than for attachments; `netloom lab status` names agents without fresh data.
 */
export async function untilFollowing(lab: string, hosts: readonly string[]): Promise<void> {
  await Promise.all(hosts.map((host) => ask(lab, host, untilFresh)));
}

async function untilFresh(hop: GrpcHop): Promise<void> {
  const request = create(StatusRequestSchema, { minIntervalMs: MIN_INTERVAL_MS });
  const statuses = watch(hop, AgentApi.method.watch, request);
  const timer = setTimeout(() => statuses.close(), PATIENCE_MS);
  try {
    for await (const status of statuses) if (status.registry?.state === RegistryStatus_State.FRESH) return;
  } catch (error) {
    // The states of the attachments give the details.
    if (!(error instanceof NetloomError)) throw error;
  } finally {
    clearTimeout(timer);
    statuses.close();
  }
}

async function withdraw(lab: string, host: string, attachments: readonly LabAttachment[]): Promise<void> {
  const request = create(DeleteRequestSchema, { refs: attachments.map(({ spec }) => refOf(spec)) });
  await ask(lab, host, (hop) => call(hop, AgentApi.method.delete, request, { timeoutMs: CALL_MS }));
}

async function apply(lab: string, attachments: readonly LabAttachment[]): Promise<LabAttachmentState[]> {
  const answers = await Promise.all(
    [...byHost(attachments)].map(async ([host, each]) => {
      const documents = each.map(({ spec }) => stringify(spec.document)).join("---\n");
      const request = create(ApplyRequestSchema, { documents, fileName: lab, waitMs: PATIENCE_MS });
      const answer = await ask(lab, host, (hop) =>
        call(hop, AgentApi.method.apply, request, { timeoutMs: CALL_MS }),
      );
      return each.map(({ spec }) =>
        stateOf(
          host,
          refOf(spec),
          answer.attachments.find(({ ref }) => ref && refText(ref) === refText(spec)),
        ),
      );
    }),
  );
  return answers.flat();
}

function stateOf(host: string, ref: Ref, status: AttachmentStatus | undefined): LabAttachmentState {
  const isUp = status?.state === AttachmentStatus_State.UP;
  return { host, ref, isUp, reason: isUp ? "" : (status?.reason ?? "its agent does not know it") };
}

/** The statuses of the agents on these hosts, and the reasons of those that do not answer. */
export async function askAgents(
  lab: string,
  hosts: readonly string[],
): Promise<{ statuses: HostStatus[]; silent: { host: string; reason: string }[] }> {
  const request = create(StatusRequestSchema, { counters: true });
  const statuses: HostStatus[] = [];
  const silent: { host: string; reason: string }[] = [];
  const answers = await Promise.allSettled(
    hosts.map((host) =>
      ask(lab, host, (hop) => call(hop, AgentApi.method.status, request, { timeoutMs: CALL_MS })),
    ),
  );
  for (const [i, answer] of answers.entries()) {
    if (answer.status === "fulfilled") statuses.push(answer.value);
    else if (!(answer.reason instanceof NetloomError)) throw answer.reason;
    else silent.push({ host: hosts[i] ?? "", reason: answer.reason.message });
  }
  return { statuses, silent };
}

async function ask<T>(lab: string, host: string, question: (hop: GrpcHop) => Promise<T>): Promise<T> {
  const hop = new GrpcHop(`unix://${agentSocket(lab, host)}`, { credentials: PLAIN_CREDENTIALS });
  try {
    return await question(hop);
  } finally {
    hop.close();
  }
}

function keyOf({ host, spec }: LabAttachment): string {
  return `${host} ${refText(spec)}`;
}

function byHost(attachments: readonly LabAttachment[]): Map<string, LabAttachment[]> {
  const hosts = new Map<string, LabAttachment[]>();
  for (const each of attachments) hosts.set(each.host, [...(hosts.get(each.host) ?? []), each]);
  return hosts;
}
