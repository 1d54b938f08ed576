/** Rules for operations, shared by all implementations of `Kernel`. */
import type { Operation } from "./kernel.ts";
import { type Device, isDevice } from "./objects.ts";

export type DeviceRemoval = Operation & { readonly verb: "remove"; readonly object: Device };

export function isDeviceRemoval(operation: Operation): operation is DeviceRemoval {
  return operation.verb === "remove" && isDevice(operation.object);
}

/**
 * Asserts that removals of devices come last: a removed device cannot be restored, so nothing that could fail may follow.
 */
export function demandDevicesLast(batch: readonly Operation[]): void {
  const first = batch.findIndex(isDeviceRemoval);
  if (first >= 0 && !batch.slice(first).every(isDeviceRemoval))
    throw new TypeError("links are removed last in a batch: they cannot come back");
}
