/** Limits of the sizes that a request or a registry takes. */
import type { FilePath, Finding } from "../../text/problem.ts";
import { MAX_ENTRY_BYTES } from "../../registry/registrations.ts";

/** Room for the fields that stations add to an entry: names, its address, its path. */
const OWN_ENTRY_BYTES = 8_192;

export function checkCount(count: number, path: FilePath, what: string, most: number): Finding[] {
  return count > most ? [{ path, message: `${count} ${what} are too many; there is room for ${most}` }] : [];
}

/** Checks that a registry has room for the entry of a document. */
export function checkEntry(bytes: Uint8Array, path: FilePath): Finding[] {
  const most = MAX_ENTRY_BYTES - OWN_ENTRY_BYTES;
  if (bytes.length <= most) return [];
  return [{ path, message: `registries accept ${most} bytes, and this has ${bytes.length}; shorten it` }];
}
