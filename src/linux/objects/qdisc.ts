import type { Qdisc } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { decodeQdisc, deleteQdisc, dumpQdiscs, getQdisc, replaceQdisc } from "../netlink/qdisc.ts";
import { noFeature } from "../batch/no-feature.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";
import { refuseStep } from "../batch/refuse.ts";
import { ownLinks } from "../batch/view.ts";

const addRequest = ({ shape }: Qdisc, { linkIndex }: Target): Uint8Array =>
  replaceQdisc({ shape, linkIndex });

export const qdisc: LinuxObjectKind<Qdisc> = plainObject<Qdisc>({
  addRequest,
  removeRequest: (_object, { linkIndex }) => deleteQdisc(linkIndex),
  replaceRequest: addRequest,
  /** The kernel would silently replace an existing qdisc. */
  async before(tools, job, { place, target }) {
    if (job.operation.verb !== "add") return;
    await tools.transaction.flush();
    const existing = place.socket.get(getQdisc(target.linkIndex), decodeQdisc, ["ENOENT", "EINVAL"]);
    if (existing?.shape) throw refuseStep(job, "EEXIST", `the device has a root qdisc, ${existing.kind}`);
  },
  /** ENOENT: the kernel lacks this kind of qdisc. */
  explain: ({ errno, object }) =>
    errno === "ENOENT" || errno === "EOPNOTSUPP" ? noFeature(object.shape.type) : undefined,
  observe(context, view) {
    const own = ownLinks(context, view);
    if (own.length === 0) return [];
    const { socket } = view.place;
    const found = view.names
      ? own.map((link) => socket.get(getQdisc(link.index), decodeQdisc, ["ENODEV", "ENOENT", "EINVAL"]))
      : socket.dump(dumpQdiscs(), decodeQdisc);
    return found.flatMap((each): Qdisc[] => {
      const link = own.find(({ index }) => index === each?.linkIndex);
      if (!link || !each?.shape || each.parent !== k.TC_H_ROOT) return [];
      return [{ kind: "qdisc", netns: view.netns, link: link.name, shape: each.shape }];
    });
  },
});
