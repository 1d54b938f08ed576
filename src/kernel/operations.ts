/** What holds for operations of every carrier. */
import type { Operation } from "./kernel.ts";
import { type Device, isDevice } from "./objects.ts";

export type DeviceRemoval = Operation & { readonly verb: "remove"; readonly object: Device };

export function isDeviceRemoval(operation: Operation): operation is DeviceRemoval {
  return operation.verb === "remove" && isDevice(operation.object);
}

/** A removed device cannot come back, so that nothing that could fail may follow. */
export function demandDevicesLast(batch: readonly Operation[]): void {
  const first = batch.findIndex(isDeviceRemoval);
  if (first >= 0 && !batch.slice(first).every(isDeviceRemoval))
    throw new TypeError("links are removed last in a batch: they cannot come back");
}
