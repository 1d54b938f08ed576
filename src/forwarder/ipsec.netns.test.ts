/** A tunnel obeys the host's IPsec policies: packets in clear that a policy covers neither leave nor enter. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { until } from "../../fixtures/async/until.ts";
import { hostsFixture, reaches, remoteWire } from "../../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { ping } from "../linux/icmp/icmp.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };

for (const direction of ["out", "in"] as const)
  test(
    `a later IPsec policy (${direction}) stops packets in clear, and its removal lets them pass again`,
    { skip: needsRoot },
    async (t) => {
      const hosts = await hostsFixture(t);
      const { near, far } = remoteWire(hosts, CONTEXT);
      await new WireMaker(hosts.alpha).apply(near);
      await new WireMaker(hosts.beta).apply(far);
      await reaches(hosts, hosts.client, "10.0.0.2");
      // alpha may send to beta, or accept from it, only encrypted packets; and nobody has a key.
      const ends = direction === "out" ? ["10.8.0.1", "10.8.0.2"] : ["10.8.0.2", "10.8.0.1"];
      const policy = (verb: string, ...rest: readonly string[]): unknown => {
        const about = ["src", `${ends[0]}/32`, "dst", `${ends[1]}/32`, "dir", direction];
        const host = hosts.net.nameOf(hosts.host);
        return execFileSync("ip", ["-n", host, "xfrm", "policy", verb, ...about, ...rest]);
      };
      const isAnswered = async (): Promise<boolean> => {
        const options = { netns: hosts.client, address: "10.0.0.2", timeoutMs: 200 };
        return (await ping(hosts.net.machine, options)).rttMs !== undefined;
      };
      policy("add", "tmpl", "src", ends[0] ?? "", "dst", ends[1] ?? "", "proto", "esp", "mode", "transport");
      await until(async () => !(await isAnswered()));
      assert.equal(await isAnswered(), false);
      policy("delete");
      await until(isAnswered);
    },
  );
