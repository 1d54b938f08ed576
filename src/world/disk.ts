/**
 * Small files that survive a crash. Data is durable only when `sync` has resolved. Calls take effect in order.
 * RESOURCE_EXHAUSTED if the disk is full, INTERNAL if it fails.
 */
export interface Disk {
  /** `undefined` if the file does not exist. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Appends `data`. After a crash or an error any leading part of it may be in the file. */
  append(name: string, data: Uint8Array): Promise<void>;
  /** Replaces the content. After a crash the file holds the old content or the new one, never a mixture. */
  replace(name: string, data: Uint8Array): Promise<void>;
  sync(name: string): Promise<void>;
}
