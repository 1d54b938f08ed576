import type { Rule } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { decodeRule, deleteRule, dumpRules, newRule } from "../netlink/rule.ts";
import type { LinuxObjectKind } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";

export const rule: LinuxObjectKind<Rule> = plainObject<Rule>({
  addRequest: (object, { protocol }) => newRule({ ...object, protocol }),
  removeRequest: (object, { protocol }) => deleteRule({ ...object, protocol }),
  /** With named links: only the rules for packets that enter by these links. */
  observe({ mark }, { place, netns, names }) {
    const found = ([4, 6] as const).flatMap((family) => place.socket.dump(dumpRules(family), decodeRule));
    return found.flatMap(({ protocol, action, ...rest }): Rule[] => {
      const isOurs = protocol === mark.protocol && action === k.FR_ACT_TO_TBL;
      return isOurs && (!names || names.has(rest.iif ?? "")) ? [{ kind: "rule", netns, ...rest }] : [];
    });
  },
});
