/**
 * Small files that survive a crash. Nothing is durable before `sync` has resolved. Calls take effect in their order.
 * RESOURCE_EXHAUSTED if the disk is full, INTERNAL if it fails.
 */
export interface Disk {
  /** `undefined` if there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** After a crash or an error any part of `data`, from its beginning, may be there. */
  append(name: string, data: Uint8Array): Promise<void>;
  /** After a crash the file holds the old content or the new one, never a mixture. */
  replace(name: string, data: Uint8Array): Promise<void>;
  sync(name: string): Promise<void>;
}
