/** Packet sockets pass the contract of `Capturer`. */
import { test } from "node:test";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { linuxCapturer } from "../../src/linux/capture/capturer.ts";
import { capturerContract } from "./capturer-contract.ts";

for (const each of capturerContract)
  test(each.title, { skip: needsRoot }, async (t) => {
    const net = await netnsFixture(t);
    await each.run({
      capturer: linuxCapturer(net.machine),
      kernel: await net.kernel(),
      netns: () => net.netns(),
      removeNetns: (netns) => net.machine.removeNetns(netns.slice("file://".length)),
    });
  });
