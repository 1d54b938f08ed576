import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { be16, bytes, ethernet, ETHERTYPE, ip, ipv4 } from "../../fixtures/linux/frame.ts";
import { printFilter } from "./filter.ts";
import { matchesFilter } from "./match-filter.ts";
import { parseFilter } from "./parse-filter.ts";

const ENDS = { to: "02:00:00:00:00:02", from: "02:00:00:00:00:01" };
const BETWEEN = { from: "10.9.0.1", to: "10.9.0.2" };

function udp(from: number, to: number): Uint8Array {
  return bytes(be16(from), be16(to), be16(8), be16(0));
}

function passes(text: string, frame: Uint8Array): boolean {
  const parsed = parseFilter(text);
  assert.ok(parsed.ok, text);
  return matchesFilter(parsed.filter, frame);
}

test("'and' and 'or' bind alike, from the left, as in tcpdump; 'not' binds more tightly", () => {
  const query = ethernet(ENDS, ETHERTYPE.ipv4, ipv4(BETWEEN, 17, udp(40_000, 53)));
  assert.equal(passes("tcp and port 80 or udp", query), true);
  assert.equal(passes("udp or tcp and port 80", query), false);
  assert.equal(passes("udp or (tcp and port 80)", query), true);
  assert.equal(passes("not tcp and port 53", query), true);
  assert.equal(passes("not (tcp or port 53)", query), false);
});

test("headers behind VLAN tags are read", () => {
  const query = ipv4(BETWEEN, 17, udp(40_000, 53));
  const tagged = ethernet(ENDS, 0x8100, bytes(be16(7), be16(ETHERTYPE.ipv4), query));
  const twice = ethernet(ENDS, 0x88a8, bytes(be16(9), be16(0x8100), be16(7), be16(ETHERTYPE.ipv4), query));
  for (const frame of [tagged, twice]) assert.equal(passes("host 10.9.0.2 and udp and port 53", frame), true);
});

test("a later fragment has a protocol and addresses, and no ports", () => {
  const packet = ipv4(BETWEEN, 17, udp(40_000, 53));
  packet.set(be16(185), 6);
  const fragment = ethernet(ENDS, ETHERTYPE.ipv4, packet);
  assert.deepEqual(
    ["udp", "net 10.9.0.0/24", "port 53"].map((text) => passes(text, fragment)),
    [true, true, false],
  );
});

test("a frame that ends before a field does not match it", () => {
  const whole = ethernet(ENDS, ETHERTYPE.ipv4, ipv4(BETWEEN, 17, udp(40_000, 53)));
  for (let length = 0; length < whole.length; length++) {
    const cut = whole.subarray(0, length);
    assert.equal(passes("udp", cut), length >= 24, `udp of ${length} bytes`);
    assert.equal(passes("host 10.9.0.2", cut), length >= 34, `host of ${length} bytes`);
    assert.equal(passes("port 53", cut), length >= 38, `port of ${length} bytes`);
    assert.equal(passes("not port 53", cut), length < 38, `not port of ${length} bytes`);
  }
});

test("a host or a net matches sender and target of an ARP message", () => {
  const message = bytes(
    [0, 1, 8, 0, 6, 4, 0, 1],
    new Uint8Array(6),
    ip("10.9.0.1"),
    new Uint8Array(6),
    ip("10.9.0.2"),
  );
  const frame = ethernet(ENDS, ETHERTYPE.arp, message);
  assert.deepEqual(
    ["arp", "host 10.9.0.1", "host 10.9.0.2", "net 10.9.0.0/24", "host 10.9.0.3"].map((text) =>
      passes(text, frame),
    ),
    [true, true, true, true, false],
  );
});

/** [filter, column, problem] */
const WRONG: readonly (readonly [string, number, RegExp])[] = [
  ["", 1, /^it ends too early: host, net, port, a protocol, not or \( belongs here$/],
  ["tcp and", 8, /^it ends too early/],
  ["tcp and prot 53", 9, /^"prot" is not a word of a filter; did you mean "port"\?$/],
  ["tcp  port 53", 6, /^"port" stands where and, or or the end belongs$/],
  ["tcp adn port 53", 5, /did you mean "and"\?$/],
  ["host 10.0.0.300", 6, /^"10\.0\.0\.300" is not an IP address$/],
  ["host 10.0.0.0/8", 6, /: net takes prefixes$/],
  ["host", 5, /^it ends too early: an address belongs behind host$/],
  ["net 10.0.0.1/8", 5, /^"10\.0\.0\.1\/8" has bits beyond its length: did you mean 10\.0\.0\.0\/8\?$/],
  ["net 10.0.0.0", 5, /^"10\.0\.0\.0" is not a prefix: it is written like 10\.0\.0\.0\/8$/],
  ["port 65536", 6, /^"65536" is not a port/],
  ["port http", 6, /^"http" is not a port/],
  ["(tcp or (udp)", 1, /^"\(" is not closed$/],
  ["(tcp udp)", 6, /^"udp" stands where and, or or \) belongs$/],
  ["tcp)", 4, /^"\)" closes nothing$/],
  ["not or tcp", 5, /^"or" has nothing before it$/],
  ["tcp".padStart(2_001), 2_001, /^it is longer than 2000 characters$/],
  ["ärp", 1, /^"ärp" is not a word of a filter; did you mean "arp"\?$/],
];

suite("the problem of a filter is reported with its column", () => {
  for (const [text, column, message] of WRONG)
    test(JSON.stringify(text.trim()), () => {
      const parsed = parseFilter(text);
      assert.ok(!parsed.ok);
      assert.equal(parsed.column, column);
      assert.match(parsed.message, message);
    });
});

test("a filter is printed in canonical form, with the parentheses that it needs", () => {
  const print = (text: string): string => {
    const parsed = parseFilter(text);
    return parsed.ok ? printFilter(parsed.filter) : parsed.message;
  };
  assert.equal(print("((host FD00:0::1)) and ((not (tcp)) or(arp))"), "host fd00::1 and (not tcp or arp)");
  assert.equal(print("(tcp or udp) and port 053"), "tcp or udp and port 53");
});
