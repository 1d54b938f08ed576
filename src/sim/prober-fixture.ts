/** Echo requests on a simulated machine: they are counted on the way, there and back. */
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
    deviceTowards: async (netns, address) => machine.deviceTowards(netns, address),
  };
}
