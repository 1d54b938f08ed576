import type { Veth } from "../../kernel/kernel.ts";
import { deviceObject } from "../devices/device-object.ts";
import { newVeth } from "../netlink/link.ts";
import { noDriver } from "../batch/no-feature.ts";
import type { LinuxObjectKind } from "../object-kind.ts";
import { linkEnd } from "../batch/view.ts";

export const veth: LinuxObjectKind<Veth> = deviceObject<Veth>({
  create(_device, [a, b]) {
    if (!a || !b) throw new TypeError("a veth pair without two ends");
    return newVeth(a, b);
  },
  explain: ({ errno, ack }) => noDriver("veth", errno, ack),
  observe: (_context, { netns, pairs }) =>
    [...pairs].map(([link, far]) => ({ kind: "veth", ends: [linkEnd(netns, link), far] })),
});
