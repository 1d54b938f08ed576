import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConnectionSchema } from "../../api/gen/nsm/connection_pb.js";
import { halfAlias, ownerOfAlias, workloadAlias } from "../../mechanisms/naming.ts";
import { beginWire, stationsOf, wireIdOf, wiresBehind } from "./wire-id.ts";

/** Stations by name, in order, with ids from their places. A star marks a station where a wire begins. */
function at(path: string, index: number, id = "c1") {
  const stations = path.split(" ");
  const pathSegments = stations.map((name, i) => ({
    name: name.replace("*", ""),
    id: i === 0 ? id : `id ${i}`,
  }));
  const connection = create(ConnectionSchema, { path: { pathSegments } });
  assert.ok(connection.path);
  for (const [i, name] of stations.entries()) {
    connection.path.index = i;
    if (name.endsWith("*")) beginWire(connection);
  }
  connection.path.index = index;
  connection.id = pathSegments[index]?.id ?? "";
  return connection;
}

/** Number of the wire of each station. */
function numbers(path: string): number[] {
  return path.split(" ").map((_, i) => {
    const known = at(
      path
        .split(" ")
        .slice(0, i + 1)
        .join(" "),
      i,
    );
    const id = wireIdOf(at(path, i));
    assert.equal(wireIdOf(known), id, "later stations do not change the id");
    return Number(/^c1(?:\.(\d+)\.[0-9a-z]{8})?$/.exec(id)?.[1] ?? 1);
  });
}

test("a path between two workloads is one wire, with any stations between them", () => {
  for (const path of [
    "nsc",
    "nsc mgr fwd nse",
    "nsc mgr-a fwd-a mgr-b fwd-b nse",
    "nsc mgr-a fwd-a proxy-a proxy-b mgr-b fwd-b nse",
  ])
    assert.deepEqual(
      numbers(path),
      path.split(" ").map(() => 1),
      path,
    );
  assert.equal(wireIdOf(create(ConnectionSchema, { id: "alone" })), "alone");
});

test("a service function ends one wire and begins the next, on its own host or on another", () => {
  assert.deepEqual(numbers("nsc mgr fwd fw mgr fwd nse"), [1, 1, 1, 1, 2, 2, 2]);
  assert.deepEqual(numbers("nsc mgr fwd fw fw-client mgr fwd nse"), [1, 1, 1, 1, 1, 2, 2, 2]);
  assert.deepEqual(numbers("nsc a fa b fb fw b fb a fa nse"), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
  assert.deepEqual(numbers("nsc a fa fw a fa b fb nse"), [1, 1, 1, 1, 2, 2, 2, 2, 2]);
});

test("a service function that marks its segment begins a wire, with any names of the stations", () => {
  assert.deepEqual(numbers("nsc mgr fwd fw* mgr fwd nse"), [1, 1, 1, 1, 2, 2, 2]);
  assert.deepEqual(numbers("nsc a fa fw* b fb nse"), [1, 1, 1, 1, 2, 2, 2], "no station repeats");
  assert.deepEqual(numbers("nsc m f fw* m f fw* m f nse"), [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
  assert.deepEqual(
    numbers("nsc m f fw* m f vpn m f nse"),
    [1, 1, 1, 1, 2, 2, 2, 3, 3, 3],
    "the second one has no mark",
  );
  assert.deepEqual(numbers("nsc* m f nse"), [1, 1, 1, 1], "a client begins the first wire anyway");
  const said = wireIdOf(at("nsc mgr fwd fw* mgr fwd nse", 4));
  assert.equal(
    said,
    wireIdOf(at("nsc mgr fwd fw mgr fwd nse", 4)),
    "the wire is the same with and without the mark",
  );
});

test("every pass of the same service function begins another wire", () => {
  assert.deepEqual(numbers("nsc m f fw m f fw m f nse"), [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
});

test("a wire keeps its id on another path, after a restart and at another endpoint; another function makes another wire", () => {
  const id = wireIdOf(at("nsc mgr fwd fw mgr fwd nse", 4));
  assert.equal(wireIdOf(at("nsc a fa mgr fwd fw mgr fwd nse-2", 6)), id);
  assert.notEqual(wireIdOf(at("nsc mgr fwd fw-2 mgr fwd nse", 4)), id);
  assert.notEqual(wireIdOf(at("nsc mgr fwd fw mgr fwd nse", 4, "c2")), id);
});

test("the stations of a wire go from the one that requests to the one that answers", () => {
  const names = (index: number): string[] =>
    stationsOf(at("nsc a fa b fb fw b fb nse", index)).map(({ name }) => name);
  const [first, second] = [
    ["nsc", "a", "fa", "b", "fb", "fw"],
    ["fw", "b", "fb", "nse"],
  ];
  assert.deepEqual([0, 1, 4, 5, 6, 8].map(names), [first, first, first, first, second, second]);
});

test("the wires behind a station are the next wires of the path, with the ids that their stations use", () => {
  const path = "nsc m f fw* m f dpi* b fb nse";
  const behind = (index: number): string[] =>
    wiresBehind(at(path, index)).map(
      ({ id, stations }) => `${id} ${stations.map(({ name }) => name).join(" ")}`,
    );
  const [second, third] = [`${wireIdOf(at(path, 4))} fw m f dpi`, `${wireIdOf(at(path, 7))} dpi b fb nse`];
  for (const index of [0, 2, 3]) assert.deepEqual(behind(index), [second, third]);
  for (const index of [4, 6]) assert.deepEqual(behind(index), [third]);
  assert.deepEqual(behind(9), []);
});

test("an id that fits no alias, alone or with its suffix, is replaced by one that fits, the same on every host", () => {
  const ids = ["x".repeat(243), "x".repeat(256), `${"x".repeat(255)}y`, "ö".repeat(256), "a\nb", "ab\u0085"];
  const chain = "nsc mgr fwd fw mgr fwd nse";
  const all = [...ids, "x".repeat(240)].flatMap((id) =>
    [0, 4].map((index) => wireIdOf(at(chain, index, id))),
  );
  assert.equal(new Set(all).size, all.length, "each id is another wire");
  for (const id of all) {
    assert.ok(Buffer.byteLength(workloadAlias(id, "client")) <= 249, id);
    assert.doesNotMatch(id, /\p{Cc}/u);
    assert.equal(ownerOfAlias(halfAlias("vxlan", id, "endpoint")), id);
  }
  for (const id of ids) {
    const way = wireIdOf(at("nsc a fa mgr fwd fw mgr fwd nse", 6, id));
    assert.equal(way, wireIdOf(at(chain, 4, id)));
    assert.equal(wireIdOf(at("nsc a fa b fb nse", 4, id)), wireIdOf(at(chain, 0, id)));
  }
  assert.equal(wireIdOf(at(chain, 0, "x".repeat(242))), "x".repeat(242));
});
