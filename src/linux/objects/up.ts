import type { Up } from "../../kernel/kernel.ts";
import { ofKind } from "../../kernel/objects.ts";
import { takenPort } from "../devices/holders.ts";
import * as k from "../netlink/constants.ts";
import { changeLink } from "../netlink/link.ts";
import type { BatchTools, LinuxObjectKind } from "../object-kind.ts";
import { type Job, refuseStep } from "../batch/refuse.ts";
import { ABSENT } from "../batch/transaction.ts";
import { lookUp } from "../batch/links.ts";
import { IPV6_MIN_MTU, isLinkLocal, linkLocalAddress } from "../../net/link-local.ts";
import { deleteAddress, newAddress } from "../netlink/address.ts";
import type { Link } from "../netlink/link-decode.ts";
import { deleteRoute, newRoute } from "../netlink/route.ts";
import { addressesOf, type NetnsView, type ObserveContext, ownLinks, routesOf } from "../batch/view.ts";

const LINK_LOCAL = "fe80::/64";

export const up: LinuxObjectKind<Up> = {
  add: (tools, job, object) => set(tools, job, object, true),
  change: (tools, job, object, from) =>
    from.lacksLinkLocal ? restoreLinkLocal(tools, job, object) : set(tools, job, object, true),
  remove: (tools, job, object) => set(tools, job, object, false),
  observe: (context, view) =>
    ownLinks(context, view)
      .filter(({ flags }) => (flags & k.IFF_UP) !== 0)
      .map((link) => ({
        kind: "up",
        netns: view.netns,
        link: link.name,
        ...(lacksLinkLocal(context, view, link) && { lacksLinkLocal: true }),
      })),
  /** A tunnel device opens its port when it is set up. */
  explain({ errno, object, tools }) {
    if (errno !== "EADDRINUSE" || !tools) return undefined;
    const { places, mark, links, operations } = tools;
    const place = places.find(object.netns);
    // Of a device that this batch has made only the kind is known: the undo has already removed it.
    const objects = operations.map((each) => each.object);
    const made = [...ofKind(objects, "vxlan"), ...ofKind(objects, "external-vxlan")].find(
      ({ name }) => name === object.link,
    );
    const port = made?.port ?? (place && links.find(place, object.link)?.vxlan?.port);
    return port === undefined ? undefined : takenPort(port, places.of("host"), mark);
  },
};

async function set(tools: BatchTools, job: Job, object: Up, isUp: boolean): Promise<void> {
  const { places, links, transaction, readiness } = tools;
  const place = places.find(object.netns);
  if (!place || (!isUp && tools.isLeaving(place, object.link))) return;
  const link = tools.linkOf(job, place, object.link);
  if (!link || ((link.flags & k.IFF_UP) !== 0) === isUp) return;
  await tools.restoreLater(place, link);
  links.put(place, { ...link, flags: isUp ? link.flags | k.IFF_UP : link.flags & ~k.IFF_UP });
  transaction.enqueue(place, {
    operation: job.number,
    request: changeLink(link.index, { up: isUp }),
    undo: changeLink(link.index, { up: !isUp }),
    ...(isUp ? { onDone: () => readiness.expectLink(place, link.index) } : { absent: ABSENT }),
  });
}

/** The kernel makes address and route if the device has a carrier and IPv6 is enabled. */
function lacksLinkLocal(context: ObserveContext, view: NetnsView, link: Link): boolean {
  const { index, operstate, addrGenMode, isIpv6Off = false, mtuBytes } = link;
  const has = addrGenMode === k.IN6_ADDR_GEN_MODE_EUI64 && mtuBytes >= IPV6_MIN_MTU && !isIpv6Off;
  if (!has || operstate !== k.IF_OPER_UP) return false;
  const hasAddress = addressesOf(view).some((each) => each.linkIndex === index && isLinkLocal(each.address));
  const hasRoute = routesOf(context, view).some(
    (each) => each.linkIndex === index && each.destination === LINK_LOCAL && each.table === undefined,
  );
  return !hasAddress || !hasRoute;
}

async function restoreLinkLocal({ places, transaction }: BatchTools, job: Job, object: Up): Promise<void> {
  const place = places.of(object.netns);
  // The MAC may have been corrected just now.
  await transaction.flush();
  const link = lookUp(place, object.link);
  if (!link?.mac) throw refuseStep(job, "ENODEV", `there is no device ${object.link}`);
  const linkIndex = link.index;
  const address = {
    linkIndex,
    address: `${linkLocalAddress(link.mac)}/64`,
    protocol: k.IFAPROT_KERNEL_LL,
  };
  const route = {
    linkIndex,
    destination: LINK_LOCAL,
    metric: k.IP6_RT_PRIO_ADDRCONF,
    protocol: k.RTPROT_KERNEL,
  };
  const operation = job.number;
  // EACCES: IPv6 is disabled on the device.
  const absent = ["EEXIST", "EACCES"];
  transaction.enqueue(place, {
    operation,
    request: newAddress(address),
    undo: deleteAddress(address),
    absent,
  });
  transaction.enqueue(place, { operation, request: newRoute(route), undo: deleteRoute(route), absent });
}
