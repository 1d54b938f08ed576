import { failed, ok, warning, type Check, type Finding } from "./check.ts";
import type { Feature } from "./host.ts";

export const kernelCheck: Check = {
  name: "kernel",
  title: "Kernel",
  run: (host) => [...host.features.map(judge), ...host.modes.map((mode) => ok(mode))],
};

function judge(feature: Feature): Finding {
  if (feature.supported) return ok(`${feature.name} (since Linux ${feature.since})`);
  const finding = feature.required ? failed : warning;
  return finding(`${feature.name} is missing (since Linux ${feature.since})`, feature.effect, feature.remedy);
}
