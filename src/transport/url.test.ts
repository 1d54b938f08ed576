import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcTarget, parseAddress } from "./url.ts";

test("a target may be a name, a listener may not", () => {
  for (const [url, target] of [
    ["tcp://alpha.example:5001", "dns:alpha.example:5001"],
    ["tcp://alpha:1", "dns:alpha:1"],
    ["tcp://10-0-0-1.pods.cluster.local:5001", "dns:10-0-0-1.pods.cluster.local:5001"],
    ["tcp://10.0.0.1:5001", "ipv4:10.0.0.1:5001"],
    ["tcp://[2001:db8::1]:5001", "ipv6:[2001:db8::1]:5001"],
    ["unix:///run/a.sock", "unix:/run/a.sock"],
  ] as const) {
    assert.equal(grpcTarget(url), target);
    if (target.startsWith("dns:"))
      assert.throws(() => parseAddress(url), { message: /neither a socket nor an IP address with a port$/ });
  }
});

test("text that is neither an address nor a name is refused", () => {
  for (const url of [
    "alpha:5001",
    "tcp://alpha",
    "tcp://alpha:99999",
    "tcp://10.0.0.300:5001",
    "tcp://10.0.0:5001",
    "tcp://2001:db8::1:5001",
    "tcp://[alpha]:5001",
    "tcp://-alpha:5001",
    "tcp://al_pha:5001",
    "tcp://alpha..example:5001",
    "tcp://alpha.example.:5001",
    `tcp://${"a".repeat(64)}:5001`,
    `tcp://${Array.from({ length: 64 }, () => "abc").join(".")}:5001`,
    "tcp://alpha.example/path:5001",
    "tcp://user@alpha:5001",
    "tcp://:5001",
  ])
    assert.throws(
      () => grpcTarget(url),
      { code: "INVALID_ARGUMENT", message: /neither a socket nor a host/ },
      url,
    );
});
