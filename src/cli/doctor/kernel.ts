/**
 * The kernel's features, the modes of Netloom that they allow, and the features of a full Linux 6.6 that are missing.
 */
import type { DoctorHost } from "./host.ts";
import type { Feature, Use } from "../../linux/probe/feature.ts";
import { absent, type Check, failed, type Report, ok, warning } from "../../doctor/check.ts";

/** The first Linux with all features that Netloom uses, if they are configured in. */
const fullKernel = "6.6";

export const kernelCheck: Check<DoctorHost> = {
  name: "kernel",
  title: "Kernel",
  run: (host) => {
    const release = `linux ${host.read("proc/sys/kernel/osrelease")?.trim() ?? "unknown"}`;
    if (host.features === undefined) {
      return [failed(`${release} was not probed`, "probing needs root", "sudo netloom doctor")];
    }
    return [version(release, host.features), ...modes(host.features), ...host.features.map(judge)];
  },
};

function judge({ name, supported, use, required, since, effect, remedy }: Feature): Report {
  const missing = required ? failed : absent;
  const isUnused = use === "nothing yet";
  const finding = supported
    ? ok(`${name} (Linux ${since}), ${isUnused ? "not used yet" : `for ${use}`}`)
    : missing(`${name} is missing (Linux ${since})`, effect, remedy);
  return isUnused ? { ...finding, isUnused } : finding;
}

/** Reports which features of a full Linux 6.6 that Netloom uses are missing. */
function version(release: string, features: readonly Feature[]): Report {
  const lacking = features.filter(
    ({ supported, since, use }) => !supported && use !== "nothing yet" && isAtMost(since, fullKernel),
  );
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

/** Reports how wires and labs are made with these features, and the first Linux that has all they need. */
function modes(features: readonly Feature[]): Report[] {
  const wanted = (...uses: readonly Use[]): Feature[] => features.filter(({ use }) => uses.includes(use));
  const shapes = wanted("cables of a lab").filter(({ supported }) => supported);
  return [
    mode("local wires", "one veth pair, packets counted by the devices", wanted("every wire")),
    mode(
      "remote wires",
      "veth, with tunnels that programs build and count; one vxlan device per host for the rest",
      wanted("every wire", "remote wires"),
    ),
    mode("ports", "a pinned tcx link at each device", wanted("ports")),
    ok(
      `cables of a lab: ${shapes.length === 0 ? "not shaped" : `shaped by ${shapes.map(({ name }) => name).join(", ")}`}`,
    ),
  ];
}

function mode(name: string, how: string, needed: readonly Feature[]): Report {
  const since = needed.map((feature) => feature.since).reduce((a, b) => (isAtMost(a, b) ? b : a), "0");
  const lacking = needed.filter(({ supported }) => !supported).map((feature) => feature.name);
  if (lacking.length === 0) return ok(`${name}: ${how} (Linux ${since})`);
  const finding = needed.some(({ required }) => required) ? warning : absent;
  return finding(
    `${name}: none`,
    `this kernel lacks ${lacking.join(" and ")}`,
    `boot Linux ${since} or newer`,
  );
}
