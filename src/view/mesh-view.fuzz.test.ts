/** For any statuses of hosts in any order, the view has each wire once, with the same content. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  type HostStatus,
  HostStatusSchema,
  Wire_State,
  WireSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { meshView } from "./mesh-view.ts";

const HOSTS = ["alpha", "beta", "gamma", "delta", "epsilon"] as const;

interface Drawn {
  /** Hosts of the wire, from the client's to the endpoint's. */
  readonly way: readonly string[];
  /** Hosts whose status has the wire, and its state there. */
  readonly told: readonly (readonly [string, Wire_State])[];
  /** Whether the statuses name all hosts of the path. */
  readonly isKnown: boolean;
}

const drawnWire: fc.Arbitrary<Drawn> = fc.shuffledSubarray([...HOSTS], { minLength: 1 }).chain((way) =>
  fc.record({
    way: fc.constant(way),
    told: fc
      .subarray(way, { minLength: 1 })
      .chain((hosts) =>
        fc.tuple(
          ...hosts.map((host) =>
            fc.tuple(
              fc.constant(host),
              fc.constantFrom(Wire_State.UP, Wire_State.DOWN, Wire_State.UNCLAIMED),
            ),
          ),
        ),
      ),
    isKnown: fc.boolean(),
  }),
);

/** Wire `n` in the status of `host`. */
function wireOn(host: string, n: number, { way, isKnown }: Drawn): MessageInitShape<typeof WireSchema> {
  const at = way.indexOf(host);
  const hops = [at - 1, at].flatMap((i) => {
    const [from, to] = [way[i], way[i + 1]];
    if (from === undefined || to === undefined) return [];
    return [
      {
        from: isKnown || from === host ? from : "",
        to: isKnown || to === host ? to : "",
        carriers: ["vxlan"],
        identifier: { name: "vni", value: Number(`${n}${i}`) },
        tunnel: { type: "VXLAN", source: `ip-${from}`, destination: `ip-${to}` },
      },
    ];
  });
  const end = { workload: "w", netns: "file:///run/netns/w", interface: `n${n}` };
  return {
    id: `wire-${n}`,
    client: `${way[0]}/w`,
    endpoint: `e.${way.at(-1)}`,
    path: { hosts: isKnown ? [...way] : [], hops },
    mtu: 1400 + at,
    ...(at === 0 && { clientEnd: end }),
    ...(at === way.length - 1 && { endpointEnd: end }),
  };
}

function statusesOf(wires: readonly Drawn[]): HostStatus[] {
  return HOSTS.map((host) => {
    const told = wires.flatMap((wire, n) =>
      wire.told.flatMap(([teller, state]) =>
        teller === host ? [create(WireSchema, { ...wireOn(host, n, wire), state })] : [],
      ),
    );
    return create(HostStatusSchema, {
      host,
      wires: told.filter(({ state }) => state !== Wire_State.UNCLAIMED),
      unclaimed: told.filter(({ state }) => state === Wire_State.UNCLAIMED),
    });
  });
}

test("each reported wire is in the view once, and the order of the hosts does not matter", () => {
  fc.assert(
    fc.property(
      fc.array(drawnWire, { maxLength: 6 }),
      fc.shuffledSubarray([...HOSTS.keys()], { minLength: HOSTS.length }),
      fc.boolean(),
      (wires, order, isWhole) => {
        const statuses = statusesOf(wires);
        const byId = (all: readonly HostStatus[]) =>
          [...meshView(all, { isWhole }).wires].sort((a, b) => (a.id < b.id ? -1 : 1));
        const seen = byId(statuses);
        assert.deepEqual(
          seen.map(({ id }) => id),
          wires.map((_, n) => `wire-${n}`).sort(),
        );
        assert.deepEqual(byId(order.flatMap((i) => statuses[i] ?? [])), seen);
      },
    ),
  );
});

test("the path of a wire that all its hosts report passes each of them once", () => {
  fc.assert(
    fc.property(drawnWire, (wire) => {
      const all = { ...wire, told: wire.way.map((host) => [host, Wire_State.UP] as const) };
      const [view] = meshView(statusesOf([all]), { isWhole: true }).wires;
      assert.deepEqual(
        view?.hops.map(({ from, to }) => [from, to]),
        wire.way.slice(1).map((to, i) => [wire.way[i], to]),
      );
      assert.deepEqual(view?.differences, []);
    }),
  );
});
