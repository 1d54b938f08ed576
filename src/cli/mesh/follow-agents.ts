/** Keeps the status of several agents up to date. */
import { create } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type HostStatus, StatusRequestSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import type { AgentClient } from "./agent-access.ts";

/** Pause before an agent that does not answer is called again. */
const retryMs = 1000;

/** The shortest time between two screens: people cannot read faster. */
const minIntervalMs = 250;

/** The known state of one agent. */
export interface Followed {
  readonly status?: HostStatus;
  /** The reason why the agent does not answer now. `status` is its last one. */
  readonly silence?: NetloomError;
}

/**
 * Calls `onChange` with the state of every agent, in their order, after each change, until `signal` ends. The first
 * call comes when each agent has answered or failed. An agent that disappears is called again until it is back.
 */
export async function followAgents(
  agents: readonly AgentClient[],
  signal: AbortSignal,
  onChange: (known: readonly Followed[]) => void,
): Promise<void> {
  const known = agents.map((): Followed | undefined => undefined);
  const learn = (index: number, news: Followed): void => {
    known[index] = news;
    const all = known.filter((each) => each !== undefined);
    if (all.length === known.length) onChange(all);
  };
  await Promise.all(agents.map((agent, index) => follow(agent, signal, (news) => learn(index, news))));
}

async function follow(
  agent: AgentClient,
  signal: AbortSignal,
  learn: (news: Followed) => void,
): Promise<void> {
  let last: HostStatus | undefined;
  while (!signal.aborted) {
    const silence = await followOnce(agent, (status) => {
      last = status;
      learn({ status });
    });
    if (signal.aborted) return;
    learn({ ...(last && { status: last }), silence });
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

/** The error of a stream of statuses that its agent has ended. */
export function agentEnded({ url }: Pick<AgentClient, "url">): NetloomError {
  return new NetloomError("UNAVAILABLE", `watch the agent at ${url}: it has ended`, { topic: "NL-201" });
}

/**
 * Follows one agent until the stream ends, and returns the reason. Rejects with an error that does not come from the
 * agent.
 */
async function followOnce(agent: AgentClient, learn: (status: HostStatus) => void): Promise<NetloomError> {
  const request = create(StatusRequestSchema, { minIntervalMs, counters: false });
  const statuses = agent.watch(Agent.method.watch, request);
  try {
    for await (const status of statuses) learn(status);
    return agentEnded(agent);
  } catch (error) {
    if (error instanceof NetloomError && error.code === "UNAVAILABLE") return error;
    throw error;
  } finally {
    statuses.close();
  }
}
