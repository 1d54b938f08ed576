import type { Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { given, inside } from "../phrase.ts";
import { familyOption, option, toolVerb } from "../script-tools.ts";
import { stableText } from "../stable-text.ts";
import { tableKey } from "./route.ts";

/** Equivalent to: `ip rule add pref P [from F] [to T] [ipproto X] [sport A-B] [dport A-B] [iif I] lookup TABLE` */
export interface Rule {
  readonly kind: "rule";
  readonly netns: Netns;
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  readonly from?: string;
  readonly to?: string;
  readonly ipProtocol?: number;
  readonly sourcePorts?: readonly [number, number];
  readonly destinationPorts?: readonly [number, number];
  readonly iif?: string;
}

export const rule = {
  phase: inPhase("rules"),
  namespaces: ({ netns }) => [netns],
  carrier: () => undefined,
  claims: (object) => [{ key: stableText(object), words: `the ${describe(object)}` }],
  // A rule belongs to the owner of the routes in its table.
  ownerKeys: ({ netns, table }) => [tableKey(netns, table)],
  describe,
  script: (tools, { verb, object }) => [
    tools.ip(
      object.netns,
      ...familyOption(object.family),
      "rule",
      toolVerb(verb),
      "pref",
      object.priority,
      ...option("from", object.from),
      ...option("to", object.to),
      ...option("ipproto", object.ipProtocol),
      ...option("sport", object.sourcePorts?.join("-")),
      ...option("dport", object.destinationPorts?.join("-")),
      ...option("iif", object.iif),
      "lookup",
      object.table,
      "protocol",
      tools.protocol,
    ),
  ],
} as const satisfies AttachedKind<Rule>;

function describe({ priority, from, to, table, netns }: Rule): string {
  return `rule pref ${priority}${given("from", from)}${given("to", to)} lookup ${table}${inside(netns)}`;
}
