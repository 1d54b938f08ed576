/** Names that only the agent knows, for completion: returned quickly, and empty if anything fails. */
import { create } from "@bufbuild/protobuf";
import { existsSync, readdirSync } from "node:fs";
import {
  Agent,
  GetRequestSchema,
  GraphRequestSchema,
  StatusRequestSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { RESOLVERS } from "../../resolvers/resolvers.ts";
import { ERROR_PAGES } from "../errors/error-pages.ts";
import { AgentClient, allTargets } from "../mesh/agent-access.ts";
import type { AgentChoice } from "../mesh/agent-options.ts";
import { KINDS } from "../../documents/kinds.ts";
import { meshView } from "../../view/mesh-view.ts";
import type { Names } from "./tree.ts";

/** The longest wait for an agent: somebody has just pressed Tab. */
const patienceMs = 500;

/** Never rejects. */
export async function namesOf(what: Names, options: AgentChoice): Promise<string[]> {
  try {
    return [...new Set(await sources[what](options))].filter((name) => /^[\w./@:-]+$/.test(name)).sort();
  } catch {
    return [];
  }
}

const sources: Readonly<Record<Names, (options: AgentChoice) => string[] | Promise<string[]>>> = {
  attachments: (options) => attachments(options),
  hosts: ({ agent, lab }) =>
    lab === undefined ? [] : allTargets({ agent, lab }).flatMap(({ host }) => host ?? []),
  kinds: async (options) => [
    ...KINDS.map(({ names: [name] }) => name),
    "services",
    "endpoints",
    "drops",
    ...(await attachments(options)),
  ],
  labs: () => list("/run/netloom/labs"),
  services: (options) =>
    eachAgent(options, async (agent) =>
      (await agent.call(Agent.method.graph, create(GraphRequestSchema), patienceMs)).services.map(
        ({ name }) => name,
      ),
    ),
  topics: () => Object.keys(ERROR_PAGES),
  wires: (options) =>
    eachAgent(options, async (agent) =>
      meshView([await agent.call(Agent.method.status, create(StatusRequestSchema), patienceMs)]).wires.map(
        ({ wire }) => wire,
      ),
    ),
  workloads: () =>
    RESOLVERS.flatMap(({ folders }) => folders.filter((folder) => existsSync(folder)).flatMap(list)),
};

function attachments(options: AgentChoice): Promise<string[]> {
  return eachAgent(options, async (agent) =>
    (await agent.call(Agent.method.get, create(GetRequestSchema), patienceMs)).attachments.flatMap(
      ({ ref }) => ref?.name ?? [],
    ),
  );
}

async function eachAgent(
  options: AgentChoice,
  ask: (agent: AgentClient) => Promise<string[]>,
): Promise<string[]> {
  const answers = await Promise.allSettled(
    allTargets(options).map(async ({ url }) => {
      const agent = new AgentClient(url);
      try {
        return await ask(agent);
      } finally {
        agent.close();
      }
    }),
  );
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

function list(directory: string): string[] {
  return readdirSync(directory);
}
