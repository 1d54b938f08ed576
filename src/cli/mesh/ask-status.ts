import { create } from "@bufbuild/protobuf";
import { Agent, type HostStatus, StatusRequestSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { AgentClient } from "./agent-access.ts";

/** Gets the current status of each agent. Rejects if one of them does not answer. */
export async function askStatus(
  agents: readonly AgentClient[],
  { counters = false }: { readonly counters?: boolean } = {},
): Promise<HostStatus[]> {
  const request = create(StatusRequestSchema, { counters });
  return await Promise.all(agents.map((agent) => agent.call(Agent.method.status, request)));
}
