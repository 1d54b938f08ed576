/** Echo requests on a simulated machine: they are counted on the way, there and back. */
import { contains, mustParseIp, mustParsePrefix } from "../net/ip.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";
import type { Prober } from "../kernel/prober.ts";
import type { SimMachine } from "./kernel.ts";

/** `isCut`: nothing comes back from another host. */
export function simProber(machine: SimMachine, isCut: () => boolean = () => false): Prober {
  const look = async (netns: Netns): Promise<readonly KernelObject[]> =>
    await machine.kernel().observe([{ netns }]);
  return {
    probe: async (netns, address, { device, packetBytes = 84 }) => {
      const objects = await look(netns);
      const end = objects
        .flatMap((object) => (object.kind === "veth" ? object.ends : []))
        .find((each) => each.name === device);
      if (end && packetBytes > end.mtuBytes) return { reason: "EMSGSIZE" };
      const reached = isCut() ? undefined : machine.send(netns, address, packetBytes);
      if (!reached) return { reason: "timeout" };
      const own = objects.flatMap((object) =>
        object.kind === "address" &&
        object.link === device &&
        object.address.includes(":") === address.includes(":")
          ? [object.address.split("/")[0] ?? ""]
          : [],
      );
      for (const back of own.slice(0, 1)) machine.send(reached.netns, back, packetBytes);
      return { rttMs: 0.11 };
    },
    deviceTowards: async (netns, address) => {
      const to = mustParseIp(address);
      const ways = (await look(netns)).flatMap((object) => {
        const destination =
          object.kind === "address"
            ? (object.peer ?? object.address)
            : object.kind === "route" && object.table === undefined
              ? object.destination
              : undefined;
        if (destination === undefined || !("link" in object)) return [];
        const prefix = mustParsePrefix(destination);
        return contains(prefix, to) ? [{ length: prefix.length, link: object.link }] : [];
      });
      return ways.sort((a, b) => b.length - a.length)[0]?.link;
    },
  };
}
