import type { DoctorHost } from "./host.ts";
import type { Check } from "../../doctor/check.ts";
import { kernelCheck } from "./kernel.ts";
import { netfilterCheck } from "./netfilter.ts";
import { leftoversCheck } from "./leftovers.ts";
import { privilegesCheck } from "./privileges.ts";
import { runtimeCheck } from "./runtime.ts";
import { servicesCheck } from "./services.ts";
import { sysctlsCheck } from "./sysctls.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";

/** All rules of `netloom doctor`, in the order of its report. A new rule is one more entry. */
export const checks: readonly Check<DoctorHost>[] = [
  runtimeCheck,
  privilegesCheck,
  kernelCheck,
  ...REMOTE_TYPES.map(({ check }) => check),
  netfilterCheck,
  sysctlsCheck,
  servicesCheck,
  leftoversCheck,
];
