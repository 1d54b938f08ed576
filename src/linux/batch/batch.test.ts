/** The requests of a batch and their order, over sockets that accept everything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MESH_MARK, type Netns, type Operation } from "../../kernel/kernel.ts";
import { Batch } from "./batch.ts";
import type { BatchContext } from "../object-kind.ts";
import { veth } from "../../../fixtures/linux/machine.ts";
import * as k from "../netlink/constants.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

const IFI_INDEX = 20;

function readU32(message: Uint8Array, offset: number): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(offset, true);
}

/**
 * Places whose sockets log the links that are set up and queried, as `up 2` and `ask 1`. The numbers are those of creation.
 * The data path logs the changed verdicts, as `change 1`.
 */
function notingPlaces(): { readonly log: string[]; readonly context: BatchContext } {
  const log: string[] = [];
  let firstIndex = 0;
  const number = (request: Uint8Array): number => readU32(request, IFI_INDEX) - firstIndex + 1;
  const changes = (requests: readonly Uint8Array[]) =>
    requests.map((request) => {
      const type = new DataView(request.buffer, request.byteOffset).getUint16(4, true);
      const isUp = type === k.RTM_NEWLINK && (readU32(request, 24) & readU32(request, 28) & k.IFF_UP) !== 0;
      if (isUp) log.push(`up ${number(request)}`);
      return { errno: 0 };
    });
  const place = (netns: Netns) => ({
    netns,
    identity: `inode://1/${netns.length}`,
    fd: 9,
    run: <T>(action: () => T): T => action(),
    socket: {
      changes,
      change(request: Uint8Array) {
        // The first request makes the pair, with the index of its first end. The index of the other end follows.
        firstIndex = readU32(request, IFI_INDEX);
        return { errno: 0 };
      },
      get: (request: Uint8Array) => void log.push(`ask ${number(request)}`),
    },
  });
  const known = new Map<Netns, NetnsPlace>();
  const of = (netns: Netns): NetnsPlace => {
    const found = known.get(netns) ?? (place(netns) as unknown as NetnsPlace);
    known.set(netns, found);
    return found;
  };
  const context = {
    places: { of, find: of },
    reaper: { withdraw: () => [] },
    settings: { write: () => undefined },
    datapath: () => ({
      action: () => undefined,
      change: ({ ifindex }: { readonly ifindex: number }) =>
        void log.push(`change ${ifindex - firstIndex + 1}`),
      closeTunnel: () => undefined,
      tunnel: () => undefined,
    }),
    mark: MESH_MARK,
  };
  return { log, context: context as unknown as BatchContext };
}

test("of two ends the one set up first is queried, whatever the order of the operations", async () => {
  const [a, b] = ["file:///run/netns/a", "file:///run/netns/bb"] as const;
  const pair = veth(a, b);
  const [first, second] = pair.ends;
  const operations = (isReversed: boolean): Operation[] =>
    [
      pair,
      // Writing a sysctl of a namespace sends all pending requests first. Then the second namespace is the first with
      // pending requests.
      ...(isReversed
        ? [
            { kind: "sysctl", netns: a, values: { "net/ipv4/ip_forward": "1" } } as const,
            { kind: "address", netns: b, link: second.name, address: "10.0.0.2/24" } as const,
          ]
        : []),
      { kind: "up", netns: a, link: first.name } as const,
      { kind: "up", netns: b, link: second.name } as const,
    ].map((object) => ({ verb: "add", object }));
  for (const [isReversed, expected] of [
    [false, ["up 1", "up 2", "ask 1"]],
    [true, ["up 2", "up 1", "ask 2"]],
  ] as const) {
    const { log, context } = notingPlaces();
    const batch = new Batch(context, operations(isReversed), {});
    batch.prepare();
    await batch.run();
    assert.deepEqual(log, expected);
  }
});

test("a verdict changes after everything before it in the batch is done", async () => {
  const [a, b] = ["file:///run/netns/a", "file:///run/netns/bb"] as const;
  const pair = veth(a, b);
  const [first, second] = pair.ends;
  const program = { kind: "program", netns: a, link: first.name } as const;
  const { log, context } = notingPlaces();
  const batch = new Batch(
    context,
    [
      { verb: "add", object: pair },
      { verb: "add", object: { kind: "up", netns: b, link: second.name } },
      {
        verb: "change",
        object: { ...program, verdict: "redirect", target: first.name },
        from: { ...program, verdict: "pass" },
      },
      { verb: "add", object: { kind: "up", netns: a, link: first.name } },
    ],
    {},
  );
  batch.prepare();
  await batch.run();
  assert.deepEqual(
    log.filter((line) => !line.startsWith("ask")),
    ["up 2", "change 1", "up 1"],
  );
});
