/** Prefixes that endpoints must not take addresses from. Upstream: sdk/pkg/networkservice/common/excludedprefixes/server.go */
import { connectionOf, ipContextOf, type ConnectionElement } from "../connection.ts";

/** The manager's side: adds the prefixes that `prefixes` returns at the time of the request, each once. */
export function excludedPrefixes(prefixes: () => readonly string[]): ConnectionElement {
  return {
    name: "excluded-prefixes",
    async request(_call, request, next) {
      const ip = ipContextOf(connectionOf(request));
      ip.excludedPrefixes = [...new Set([...ip.excludedPrefixes, ...prefixes()])];
      return await next(request);
    },
  };
}
