/**
 * The contract of `Kernel` (src/kernel/kernel.ts) as a list of cases. The real and the simulated kernel pass the same list,
 * so results in the simulator hold on Linux. Where the two disagree, Linux is right.
 */
import type { ContractCase } from "./kernel-contract-harness.ts";
import { dropCases } from "./kernel-contract-drops.ts";
import { lifeCases } from "./kernel-contract-life.ts";
import { objectCases } from "./kernel-contract-objects.ts";
import { packetCases } from "./kernel-contract-packets.ts";
import { portCases } from "./kernel-contract-ports.ts";
import { refusalCases } from "./kernel-contract-refusals.ts";
import { undoCases } from "./kernel-contract-undo.ts";
import { watchCases } from "./kernel-contract-watch.ts";
import { wayCases } from "./kernel-contract-ways.ts";

export const kernelContract: readonly ContractCase[] = [
  ...objectCases,
  ...refusalCases,
  ...undoCases,
  ...lifeCases,
  ...watchCases,
  ...packetCases,
  ...portCases,
  ...wayCases,
  ...dropCases,
];
