import { defaultAgent } from "../mesh/agent-options.ts";

/** Where an agent listens: at what was given, and at a socket in any case, because without one nobody could command it. */
export function agentListeners(given: readonly string[] = []): readonly string[] {
  return given.some((url) => url.startsWith("unix:")) ? given : [defaultAgent, ...given];
}
