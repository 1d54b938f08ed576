import type { Rule } from "../../../kernel/kernel.ts";
import type { Actor } from "../links.ts";
import { Refused, type SimNetns, type SimRule } from "../state.ts";
import type { SimObjectKind } from "../object-kind.ts";

export const rule = {
  add(actor, object) {
    const netns = actor.find(object.netns);
    if (findRule(actor, netns, object)) throw new Refused("EEXIST", "rule exists");
    const { kind: _kind, netns: _netns, ...fields } = object;
    const entry: SimRule = { ...fields, protocol: actor.mark.protocol };
    netns.rules.add(entry);
    announce(actor, netns, entry, "new");
    return () => {
      netns.rules.delete(entry);
      announce(actor, netns, entry, "removed");
    };
  },
  remove(actor, object) {
    const netns = actor.find(object.netns);
    const entry = findRule(actor, netns, object);
    if (!entry) return undefined;
    netns.rules.delete(entry);
    announce(actor, netns, entry, "removed");
    return () => {
      netns.rules.add(entry);
      announce(actor, netns, entry, "new");
    };
  },
  observe: ({ mark }, { netns, name, links }) =>
    [...netns.rules]
      .filter(({ protocol, iif = "" }) => protocol === mark.protocol && (!links || links.has(iif)))
      .map(({ protocol: _protocol, ...rest }): Rule => ({ kind: "rule", netns: name, ...rest })),
} as const satisfies SimObjectKind<Rule>;

function announce(by: Actor, netns: SimNetns, { protocol }: SimRule, change: "new" | "removed"): void {
  by.machine.announce(netns, { type: "route", protocol, by, change });
}

function findRule(actor: Actor, netns: SimNetns, object: Rule): SimRule | undefined {
  const wanted = ruleKey(object);
  for (const rule of netns.rules)
    if (rule.protocol === actor.mark.protocol && ruleKey(rule) === wanted) return rule;
  return undefined;
}

function ruleKey(rule: Omit<Rule, "kind" | "netns">): string {
  const { family, priority, table, from, to, ipProtocol, sourcePorts, destinationPorts, iif } = rule;
  return JSON.stringify([family, priority, table, from, to, ipProtocol, sourcePorts, destinationPorts, iif]);
}
