import type { Veth } from "../../../kernel/kernel.ts";
import { born, changeEnds, checkEnd, destroy, endOf, hideDevice } from "../links.ts";
import { Refused } from "../state.ts";
import { type SimObjectKind, untold } from "../object-kind.ts";

export const veth = {
  add(actor, { kind, ends }) {
    const [first, second] = ends;
    for (const end of ends) checkEnd(actor, end);
    if (first.name === second.name && actor.find(first.netns) === actor.find(second.netns))
      throw new Refused("EEXIST", `both ends are called ${first.name}`);
    const [a, b] = ends.map((end) =>
      born(actor, end, {
        kind,
        transmit: (journey, frame, device) => device.peer && journey.enter(device.peer, frame),
      }),
    );
    if (!a || !b) throw new TypeError("a veth pair without two ends");
    [a.peer, b.peer] = [b, a];
    return () => destroy(actor, a);
  },
  change: changeEnds,
  remove: hideDevice,
  observe: (observer, view) =>
    untold(observer, view, "veth").flatMap((device) =>
      device.peer ? [{ kind: "veth", ends: [endOf(observer, device), endOf(observer, device.peer)] }] : [],
    ),
} as const satisfies SimObjectKind<Veth>;
