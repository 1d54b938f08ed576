import type { ExternalVxlan } from "../../kernel/kernel.ts";
import { noDriver } from "../batch/no-feature.ts";
import { linkEnd, ownLinks } from "../batch/view.ts";
import { deviceObject } from "../devices/device-object.ts";
import { newExternalVxlan } from "../netlink/link.ts";
import type { LinuxObjectKind } from "../object-kind.ts";

export const externalVxlan: LinuxObjectKind<ExternalVxlan> = deviceObject<ExternalVxlan>({
  // The socket of the device stays in the namespace where the device is made.
  madeIn: "host",
  isBusy: true,
  create({ port }, [end]) {
    if (!end) throw new TypeError("a VXLAN device without its end");
    return newExternalVxlan(end, port);
  },
  explain: ({ errno, ack }) => noDriver("VXLAN", errno, ack),
  observe: (context, view) =>
    ownLinks(context, view).flatMap((link): ExternalVxlan[] =>
      link.vxlan?.isExternal
        ? [{ kind: "external-vxlan", ...linkEnd(view.netns, link), port: link.vxlan.port }]
        : [],
    ),
});
