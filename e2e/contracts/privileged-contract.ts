/** The contract of `Privileged` (src/kernel/privileged.ts), for the kernel of this machine and the simulated one. */
import assert from "node:assert/strict";
import type { KernelObject, Netns } from "../../src/kernel/kernel.ts";
import type { Need, Privileged } from "../../src/kernel/privileged.ts";

/** A machine for one case. Its maker cleans it up. */
export interface PrivilegedHarness {
  readonly privileged: Privileged;
  /** A new, empty namespace, as a path. */
  readonly netns: () => Promise<Netns>;
  /** A directory for pins, which may be missing. */
  readonly bpffs: string;
  /** Starts a process that runs until the case is over, and returns its ID. */
  readonly process: () => Promise<number>;
  /** Listens on a unix socket, until `end`. */
  readonly listen: () => Promise<{
    readonly path: string;
    readonly identity: string;
    readonly end: () => Promise<void>;
  }>;
}

export interface PrivilegedCase {
  readonly title: string;
  run(harness: PrivilegedHarness): Promise<void>;
}

/** No machine has so many processes. */
const NO_PID = 0x3fffff;
const NOWHERE: Netns = "file:///run/netns/nlt-nowhere";
const DATAGRAMS = { domain: 2, type: 2, protocol: 0 };

export const privilegedContract: readonly PrivilegedCase[] = [
  {
    title: "a kernel of a host works in the namespace of that host",
    async run({ privileged, netns, bpffs }) {
      const host = await netns();
      const kernel = await privileged.kernel({ host, bpffs });
      const object = tunnel("vx-1");
      await kernel.apply([{ verb: "add", object }]);
      assert.deepEqual(await kernel.observe([{ netns: "host" }]), [object]);
      await kernel.close();
      await assert.rejects(privileged.kernel({ host: NOWHERE, bpffs }), { code: "NOT_FOUND" });
    },
  },
  {
    title: "an existing object is opened again each time, and may be closed twice",
    async run(harness) {
      const { privileged } = harness;
      const [netns, pid, socket] = [await harness.netns(), await harness.process(), await harness.listen()];
      const needs: Need[] = [
        { type: "netns", netns },
        { type: "process", pid },
        { type: "socket", netns, kind: DATAGRAMS },
        { type: "socket-file", identity: socket.identity },
        { type: "connection", path: socket.path },
      ];
      for (const need of needs) {
        const [one, other] = [await privileged.open(need), await privileged.open(need)];
        assert.notEqual(one.fd, other.fd, need.type);
        for (const descriptor of [one, other, one]) descriptor.close();
      }
      await socket.end();
    },
  },
  {
    title: "a missing object of any kind is NOT_FOUND",
    async run({ privileged }) {
      const needs: Need[] = [
        { type: "netns", netns: NOWHERE },
        { type: "process", pid: NO_PID },
        { type: "socket", netns: NOWHERE, kind: DATAGRAMS },
        { type: "socket-file", identity: "inode://1/1" },
        { type: "connection", path: "/run/nlt-nowhere.sock" },
      ];
      for (const need of needs) await assert.rejects(privileged.open(need), { code: "NOT_FOUND" }, need.type);
      await assert.rejects(privileged.deviceTowards(NOWHERE, "10.0.0.1"), { code: "NOT_FOUND" });
    },
  },
  {
    title: "a socket is found by its file as long as a process listens on it",
    async run({ privileged, listen }) {
      const socket = await listen();
      (await privileged.open({ type: "socket-file", identity: socket.identity })).close();
      await socket.end();
      await assert.rejects(privileged.open({ type: "socket-file", identity: socket.identity }), {
        code: "NOT_FOUND",
      });
    },
  },
  {
    title: "the device towards an address is that of its route",
    async run({ privileged, netns, bpffs }) {
      const host = await netns();
      const kernel = await privileged.kernel({ host, bpffs });
      assert.equal(await privileged.deviceTowards(host, "10.7.0.9"), undefined);
      const on = { netns: "host", link: "vx-1" } as const;
      const objects: KernelObject[] = [
        tunnel("vx-1"),
        { kind: "address", ...on, address: "10.6.0.1/24" },
        { kind: "up", ...on },
        { kind: "route", ...on, destination: "10.7.0.0/24", via: "10.6.0.2" },
      ];
      await kernel.apply(objects.map((object) => ({ verb: "add", object })));
      assert.equal(await privileged.deviceTowards(host, "10.7.0.9"), "vx-1");
      assert.equal(await privileged.deviceTowards(host, "10.8.0.9"), undefined);
      await kernel.close();
    },
  },
];

function tunnel(name: string): KernelObject {
  const ends = { vni: 7, local: "10.0.0.1", remote: "10.0.0.2", port: 4789 };
  return {
    kind: "vxlan",
    netns: "host",
    name,
    mac: "02:00:00:00:00:01",
    mtuBytes: 1400,
    alias: "client-c1",
    ...ends,
  };
}
