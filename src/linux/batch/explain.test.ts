import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelObject } from "../../kernel/kernel.ts";
import { refuseStep } from "./refuse.ts";
import { explanationOf, restate } from "./explain.ts";

const vxlan: KernelObject = {
  kind: "vxlan",
  netns: "host",
  name: "vx-1",
  mac: "02:00:00:00:00:01",
  mtuBytes: 1450,
  alias: "",
  vni: 7,
  local: "192.0.2.1",
  remote: "192.0.2.2",
  port: 4789,
};

function job(object: KernelObject): Parameters<typeof refuseStep>[0] {
  return { number: 2, operation: { verb: "add", object } };
}

test("EOPNOTSUPP for VXLAN becomes an error that names the missing kernel feature", () => {
  const reason = explanationOf("EOPNOTSUPP", { errno: 95, message: "Unknown device type" }, vxlan);
  const error = refuseStep(job(vxlan), "EOPNOTSUPP", reason);
  assert.equal(error.message, "add vxlan vx-1 vni 7: EOPNOTSUPP: this kernel has no VXLAN");
  assert.equal(error.code, "UNIMPLEMENTED");
  assert.equal(error.operation, 2);
});

test("a qdisc that the kernel lacks is UNIMPLEMENTED, although the kernel says ENOENT", () => {
  const qdisc: KernelObject = {
    kind: "qdisc",
    netns: "host",
    link: "nl-1",
    shape: { type: "netem", delayMs: 1, lossPercent: 0 },
  };
  const error = refuseStep(job(qdisc), "ENOENT", explanationOf("ENOENT", { errno: 2 }, qdisc));
  assert.equal(error.message, "add qdisc netem dev nl-1: ENOENT: this kernel has no netem");
  assert.equal(error.code, "UNIMPLEMENTED");
});

test("a missing privilege gives a hint to run as root", () => {
  const error = refuseStep(job(vxlan), "EPERM", explanationOf("EPERM", { errno: 1 }, vxlan));
  assert.equal(error.message, "add vxlan vx-1 vni 7: EPERM: not permitted");
  assert.equal(error.hint, "run as root");
});

test("the kernel's own message is preferred", () => {
  const { reason } = explanationOf("EINVAL", { errno: 22, message: "Cannot do that." }, vxlan);
  assert.equal(reason, "cannot do that");
});

test("an error of the file system becomes the refusal of the operation", () => {
  const sysctl: KernelObject = { kind: "sysctl", netns: "host", values: { "net/none": "1" } };
  const error = restate(job(sysctl), Object.assign(new Error("x"), { code: "ENOENT" }));
  assert.equal((error as Error).message, "add sysctl net/none=1: ENOENT: there is no such thing");
});
