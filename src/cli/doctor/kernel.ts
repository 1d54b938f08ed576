/** What the kernel can do, what that makes of the modes of netloom, and what a full Linux 6.6 would have besides. */
import type { Feature } from "../../linux/probe.ts";
import { absent, failed, ok, warning, type Check, type Finding } from "./check.ts";

/** From this Linux on everything works, if it is configured in. */
const fullKernel = "6.6";

export const kernelCheck: Check = {
  name: "kernel",
  title: "Kernel",
  run: (host) => {
    const release = `linux ${host.read("proc/sys/kernel/osrelease")?.trim() ?? "unknown"}`;
    if (host.features === undefined) {
      return [
        failed(`${release} was not asked what it can do`, "asking it needs root", "sudo netloom doctor"),
      ];
    }
    return [version(release, host.features), ...modes(host.features), ...host.features.map(judge)];
  },
};

function judge({ name, supported, required, since, effect, remedy }: Feature): Finding {
  if (supported) return ok(`${name} (Linux ${since})`);
  const finding = required ? failed : absent;
  return finding(`${name} is missing (Linux ${since})`, effect, remedy);
}

/** Whether it has all that a full Linux 6.6 has, and otherwise what not. */
function version(release: string, features: readonly Feature[]): Finding {
  const lacking = features.filter(({ supported, since }) => !supported && isAtMost(since, fullKernel));
  const names = lacking.map(({ name }) => name).join(", ");
  return ok(
    lacking.length === 0
      ? `${release}, complete`
      : `${release}; a full Linux ${fullKernel} also has ${names}`,
  );
}

function isAtMost(version: string, limit: string): boolean {
  const [a = [], b = []] = [version, limit].map((text) => text.split(".").map(Number));
  const difference = (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);
  return difference <= 0;
}

/** How wires and labs are made with these features. */
function modes(features: readonly Feature[]): Finding[] {
  const has = (name: string): boolean =>
    features.some((feature) => feature.name === name && feature.supported);
  const counted = has("tcx links") ? "packets counted by a tcx program" : "packets not counted";
  const shapes = [has("tbf") ? "rate (tbf)" : "", has("netem") ? "delay and loss (netem)" : ""].filter(
    Boolean,
  );
  return [
    has("veth")
      ? ok(`local wires: one veth pair, ${counted}`)
      : warning("local wires: none", "the kernel has no veth", "modprobe veth"),
    ["veth", "vxlan", "tcx links", "bpf_redirect_peer"].every(has)
      ? ok(`remote wires: veth and vxlan, joined by tcx and redirect_peer, ${counted}`)
      : warning(
          "remote wires: none",
          "they need veth, vxlan, tcx links and bpf_redirect_peer",
          "boot Linux 6.6 or newer",
        ),
    ok(`cables of a lab: ${shapes.length === 0 ? "not shaped" : `shaped by ${shapes.join(", ")}`}`),
  ];
}
