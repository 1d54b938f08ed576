import type { Sysctl } from "../../../kernel/kernel.ts";
import { settingsOf } from "../../../kernel/objects/sysctl.ts";
import type { Actor, Undo } from "../links.ts";
import { Refused } from "../state.ts";
import type { SimObjectKind } from "../object-kind.ts";

export const sysctl = {
  add: set,
  change: set,
  remove: () => undefined,
  observe: () => [],
} as const satisfies SimObjectKind<Sysctl>;

function set(actor: Actor, object: Sysctl): Undo {
  const { sysctls, devices } = actor.find(object.netns);
  const isThere = object.link === undefined || object.link === "lo" || devices.has(object.link);
  if (!isThere && object.isOptional) return () => {};
  const settings = settingsOf(object);
  if (!isThere || !settings.every(([name]) => name.startsWith("net/")))
    throw new Refused("ENOENT", "there is no such setting");
  const before = settings.map(([name]) => [name, sysctls.get(name)] as const);
  for (const [name, value] of settings) sysctls.set(name, value);
  return () => {
    for (const [name, value] of before)
      if (value === undefined) sysctls.delete(name);
      else sysctls.set(name, value);
  };
}
