/** Waits for conditions of documents, wires and services, by following the status of an agent. */
import { create } from "@bufbuild/protobuf";
import {
  Agent,
  GraphRequestSchema,
  type GraphResponse,
  type HostStatus,
  StatusRequestSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { attachmentView } from "../../view/attachment-view.ts";
import type { ConditionView } from "../../view/condition-view.ts";
import { wireConditions } from "../../view/wire-conditions.ts";
import { meshView } from "../../view/mesh-view.ts";
import { isWireNamed } from "../../view/wire-names.ts";
import type { AgentClient } from "./agent-access.ts";
import { ambiguousName, parseName } from "./attachment-names.ts";
import { agentEnded } from "./follow-agents.ts";

export type Goal =
  | { readonly type: "delete" }
  | { readonly type: "condition"; readonly condition: string; readonly status: string };

export interface Outcome {
  readonly thing: string;
  readonly isMet: boolean;
  /** The condition that was met, or the one that is missing. */
  readonly words: string;
}

/** The registry changes without a status update. */
const SERVICES_MS = 500;

interface Known {
  readonly status: HostStatus;
  /** Only if the command waits for a service. */
  readonly graph?: GraphResponse | undefined;
}

/** Resolves when all things meet their condition, or the time is over. */
export async function waitFor(
  agent: AgentClient,
  things: readonly string[],
  { goal, timeoutMs }: { readonly goal: Goal; readonly timeoutMs: number },
): Promise<Outcome[]> {
  const needsGraph = things.some((thing) => kindOf(thing) === "service");
  const statuses = agent.watch(Agent.method.watch, create(StatusRequestSchema, { minIntervalMs: 100 }));
  const deadlineMs = performance.now() + timeoutMs;
  const take = (): Promise<HostStatus | undefined> => {
    const next = statuses.take();
    // A rejection is handled where it is awaited.
    next.catch(() => undefined);
    return next;
  };
  try {
    let status = await take();
    let next = take();
    for (;;) {
      if (!status) throw agentEnded(agent);
      const graph = needsGraph ? await agent.call(Agent.method.graph, create(GraphRequestSchema)) : undefined;
      const known = { status, graph };
      const outcomes = things.map((thing) => outcomeOf(thing, goal, known));
      const leftMs = deadlineMs - performance.now();
      if (outcomes.every(({ isMet }) => isMet) || leftMs <= 0) return outcomes;
      const news = await within(next, needsGraph ? Math.min(leftMs, SERVICES_MS) : leftMs);
      if (news === "late") continue;
      status = news;
      next = take();
    }
  } finally {
    statuses.close();
  }
}

async function within<T>(task: Promise<T>, ms: number): Promise<T | "late"> {
  const { promise, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(resolve, ms, "late");
  try {
    return await Promise.race([task, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function kindOf(thing: string): "wire" | "service" | "document" {
  const [, word = ""] = /^(wire|service)s?\//i.exec(thing) ?? [];
  return word === "" ? "document" : (word.toLowerCase() as "wire" | "service");
}

function outcomeOf(thing: string, goal: Goal, known: Known): Outcome {
  const conditions = conditionsOf(thing, known);
  if (goal.type === "delete")
    return { thing, isMet: conditions === undefined, words: conditions ? "still exists" : "is gone" };
  if (!conditions) return { thing, isMet: false, words: "does not exist" };
  const found = conditions.find(({ type }) => type.toLowerCase() === goal.condition.toLowerCase());
  if (!found) return { thing, isMet: false, words: `has no condition ${goal.condition}` };
  const isMet = found.status.toLowerCase() === goal.status.toLowerCase();
  const why = found.message === undefined ? found.reason : `${found.reason}: ${found.message}`;
  return {
    thing,
    isMet,
    words: isMet ? `${found.type} is ${found.status}` : `${found.type} is ${found.status} (${why})`,
  };
}

/** The conditions of a thing; `undefined` if it does not exist. */
function conditionsOf(thing: string, { status, graph }: Known): readonly ConditionView[] | undefined {
  const kind = kindOf(thing);
  if (kind === "document") {
    const { kind: wanted, name } = parseName(thing);
    const [found, ...others] = status.attachments.filter(
      ({ ref }) => ref?.name === name && (wanted === undefined || ref.kind === wanted),
    );
    if (!found) return undefined;
    if (others.length > 0)
      throw ambiguousName(
        thing,
        [found, ...others].flatMap(({ ref }) => ref ?? []),
      );
    return attachmentView(status.host, found).conditions;
  }
  const name = thing.slice(thing.indexOf("/") + 1);
  if (kind === "service") return serviceConditions(name, graph);
  const wire = meshView([status]).wires.find((each) => isWireNamed(each, name));
  return wire && wireConditions(wire);
}

function serviceConditions(
  name: string,
  graph: GraphResponse | undefined,
): readonly ConditionView[] | undefined {
  const endpoints = graph?.endpoints.filter(({ services }) => services.includes(name)).length ?? 0;
  const isKnown = graph?.services.some((service) => service.name === name) === true;
  if (!isKnown && endpoints === 0) return undefined;
  return [
    endpoints > 0
      ? { type: "Ready", status: "True", reason: "Offered" }
      : { type: "Ready", status: "False", reason: "NoEndpoint", message: "no endpoint offers it" },
  ];
}
