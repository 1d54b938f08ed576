import type { Check } from "./check.ts";
import { kernelCheck } from "./kernel.ts";
import { leftoversCheck } from "./leftovers.ts";
import { privilegesCheck } from "./privileges.ts";
import { runtimeCheck } from "./runtime.ts";
import { servicesCheck } from "./services.ts";
import { sysctlsCheck } from "./sysctls.ts";
import { vxlanPortCheck } from "./vxlan-port.ts";

/** Every rule of `netloom doctor`, in the order of its report. A new rule is one more entry. */
export const checks: readonly Check[] = [
  runtimeCheck,
  privilegesCheck,
  kernelCheck,
  vxlanPortCheck,
  sysctlsCheck,
  servicesCheck,
  leftoversCheck,
];
