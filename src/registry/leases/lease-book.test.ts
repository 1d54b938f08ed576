import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { HandClock } from "../../../fixtures/store/hand-clock.ts";
import { hostLeaseName, LeaseBook, leaseOfEndpoint } from "./lease-book.ts";

const LEASE_MS = 60_000;
const HOST = hostLeaseName({ kind: "address", address: "10.0.0.1" }, "manager-alpha/1") ?? "";

function open() {
  const clock = new HandClock();
  return { clock, book: new LeaseBook({ clock, leaseMs: LEASE_MS }) };
}

suite("the lease for an endpoint", () => {
  test("is its host's if there is one, unless the endpoint wants to expire earlier", () => {
    const { book } = open();
    assert.deepEqual(book.leaseFor("a", LEASE_MS - 1, HOST), { hostLease: HOST, leaseMs: LEASE_MS });
    assert.deepEqual(book.leaseFor("a", 5000, HOST), { hostLease: "", leaseMs: 5000 });
    assert.deepEqual(book.leaseFor("a", LEASE_MS, undefined), { hostLease: "", leaseMs: LEASE_MS });
    assert.equal(hostLeaseName({ kind: "self" }, ""), undefined);
  });

  test("has the duration of an existing lease of the host, as another registry began it", () => {
    const { book } = open();
    book.hold("a", { hostLease: HOST, leaseMs: 40_000 });
    assert.equal(book.leaseFor("b", LEASE_MS, HOST).leaseMs, 40_000);
  });

  test("stays the same while the wanted duration differs by a message's delay, and is another one otherwise", () => {
    const { book } = open();
    book.hold("a", book.leaseFor("a", 20_000, undefined));
    const name = leaseOfEndpoint("a", book.leaseFor("a", 20_000, undefined)).name;
    for (const wanted of [19_950, 20_050, 21_500])
      assert.equal(leaseOfEndpoint("a", book.leaseFor("a", wanted, undefined)).name, name);
    for (const wanted of [15_000, 30_000])
      assert.notEqual(leaseOfEndpoint("a", book.leaseFor("a", wanted, undefined)).name, name);
  });
});

test("reported expiry times follow the last refresh, of an endpoint or a whole host, and are never in the past", () => {
  const { book, clock } = open();
  for (const name of ["a", "b"]) book.hold(name, { hostLease: HOST, leaseMs: LEASE_MS });
  book.hold("c", { hostLease: "", leaseMs: 10_000 });
  clock.pass(8000);
  assert.deepEqual([...book.renewHost(HOST)], ["a", "b"]);
  const endOf = (name: string) => book.expirations()(name);
  assert.deepEqual(["a", "b", "c"].map(endOf), [68_000, 68_000, 10_000]);
  clock.pass(2500);
  assert.equal(endOf("c"), 10_000, "on its way out");
  clock.pass(5000);
  assert.equal(endOf("c"), 20_000, "put off by another registry");
  book.drop("c");
  assert.equal(endOf("c"), undefined);
  book.hold("a", { hostLease: "", leaseMs: 5000 });
  assert.deepEqual([...book.renewHost(HOST)], ["b"]);
  book.drop("b");
  assert.deepEqual([...book.renewHost(HOST)], []);
});
