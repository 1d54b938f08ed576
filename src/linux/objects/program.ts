/** The `wire` program on devices (batch/wire-program.ts), with their tunnels (batch/tunnels.ts). */
import type { Program } from "../../kernel/kernel.ts";
import { lookUp } from "../batch/links.ts";
import { doomedGroup } from "../batch/reaper.ts";
import { type Job, refuseStep } from "../batch/refuse.ts";
import { closeTunnel, demandFreeTunnel, forgetTunnel, openTunnel, shareDevice } from "../batch/tunnels.ts";
import type { ObserveContext, NetnsView } from "../batch/view.ts";
import { attachWire, detachWire, redirectWire, type WireTask, wireTask } from "../batch/wire-program.ts";
import type { WireVerdict } from "../bpf/wire-map.ts";
import { hasFarEnd, isOurPair } from "../devices/veth-peer.ts";
import type { BatchTools, LinuxObjectKind } from "../object-kind.ts";

export const program: LinuxObjectKind<Program> = {
  async add(tools, job, object) {
    const task = taskOf(tools, job, object);
    if (!task) return;
    if (object.tunnel) demandFreeTunnel(tools, job, task, object.tunnel);
    if (object.port !== undefined) shareDevice(task, object.port);
    await attachWire(tools, task);
    if (object.tunnel) openTunnel(tools, task, object.tunnel);
  },
  async change(tools, job, object) {
    const task = taskOf(tools, job, object);
    if (!task) return;
    // Frames flow by the new verdict at once: everything that it relies on comes first, such as a device that is set up.
    await tools.transaction.flush();
    if (object.tunnel) demandFreeTunnel(tools, job, task, object.tunnel);
    // Open the tunnel first, so that frames find it as soon as the program sends them there.
    if (object.tunnel) openTunnel(tools, task, object.tunnel);
    redirectWire(tools, task);
    if (!object.tunnel) closeTunnel(tools, task.place, task.wanted.ifindex);
  },
  remove(tools, job, object) {
    if (object.tunnel && !withdraw(tools, job, object)) return forgetTunnel(tools, object.tunnel);
    const task = taskOf(tools, job, object);
    if (task) detachWire(tools, task);
  },
  observe: (context, view) =>
    view.links.flatMap((link): Program[] => {
      const action = context.programOf(view.place, link.index);
      if (!action) return [];
      const { verdict, port, mac, guard } = action;
      const tunnel = verdict === "encapsulate" ? context.tunnelOf(link.index) : undefined;
      const target = targetOf(context, view, action.targetIfindex);
      const on = { netns: view.netns, link: link.name };
      const isBorrowed = link.group !== context.mark.group;
      return [
        {
          kind: "program",
          ...on,
          verdict,
          ...(port !== undefined && { port }),
          ...(target !== undefined && { target }),
          ...(tunnel && { tunnel }),
          ...(mac !== undefined && { mac }),
          ...(guard && { guard }),
          ...(isBorrowed && { index: link.index }),
        },
      ];
    }),
};

/**
 * Closes the tunnel before its device is removed, because packets would still arrive for it. False if the device is already
 * gone.
 */
function withdraw(tools: BatchTools, job: Job, object: Program): boolean {
  const place = tools.places.find(object.netns);
  const link = place && tools.linkOf(job, place, object.link);
  if (!place || !link) return false;
  closeTunnel(tools, place, link.index);
  return true;
}

/** The name of a program's target device, if it exists and is not about to vanish. */
function targetOf({ mark }: ObserveContext, view: NetnsView, index: number | undefined): string | undefined {
  if (index === undefined) return undefined;
  const inView = view.byIndex.get(index);
  if (inView) return inView.name;
  const link = lookUp(view.place, index);
  if (!link || link.group === doomedGroup(mark.group)) return undefined;
  return isOurPair(mark, link) && !hasFarEnd(view.place, link) ? undefined : link.name;
}

function taskOf(tools: BatchTools, job: Job, object: Program): WireTask | undefined {
  const { verdict, target, port, tunnel, mac, guard } = object;
  const demand = (what: string, isThere: boolean, isWanted: boolean): void => {
    if (isThere !== isWanted)
      throw refuseStep(job, "EINVAL", `${verdict} ${isThere ? "has no" : "needs a"} ${what}`);
  };
  demand("target", target !== undefined, verdict === "redirect" || verdict === "redirect-peer");
  demand("port", port !== undefined, verdict === "decapsulate");
  demand("tunnel", tunnel !== undefined, verdict === "encapsulate");
  return wireTask(tools, job, object, (place): WireVerdict => {
    const targetIfindex = target === undefined ? undefined : tools.linkOf(job, place, target)?.index;
    return {
      verdict,
      ...(port !== undefined && { port }),
      ...(targetIfindex !== undefined && { targetIfindex }),
      ...(mac !== undefined && { mac }),
      ...(guard && { guard }),
    };
  });
}
