import { defaultAgent } from "../mesh/agent-options.ts";

/** The URLs at which an agent listens: the given ones, and always a socket, because the commands need one. */
export function agentListeners(given: readonly string[] = []): readonly string[] {
  return given.some((url) => url.startsWith("unix:")) ? given : [defaultAgent, ...given];
}
