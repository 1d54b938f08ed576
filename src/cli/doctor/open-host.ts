import { NetloomError } from "../../errors/errors.ts";
import { probe } from "../../linux/probe/probe.ts";
import { type Feature } from "../../linux/probe/feature.ts";
import { type DoctorHost, openFileTree } from "./host.ts";
import { readNetworkState } from "./network-state.ts";

/** Reads the current state of this machine. Parts that this process may not read are absent. */
export async function openHost(settings: DoctorHost["settings"] = {}): Promise<DoctorHost> {
  return {
    ...openFileTree(),
    ...readNetworkState(),
    nodeVersion: process.versions.node,
    features: await askKernel(),
    settings,
  };
}

async function askKernel(): Promise<Feature[] | undefined> {
  try {
    return await probe();
  } catch (error) {
    if (error instanceof NetloomError && error.code === "PERMISSION_DENIED") return undefined;
    throw error;
  }
}
