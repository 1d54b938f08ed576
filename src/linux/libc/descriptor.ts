import { closeSync } from "node:fs";
import type { Descriptor } from "../../kernel/privileged.ts";

/** Takes ownership of a file descriptor. */
export function descriptor(fd: number): Descriptor {
  let isOpen = true;
  return {
    fd,
    close: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** The file of an open descriptor, by a path that is valid in this process only. */
export function fileOf(of: Descriptor): { readonly path: string; readonly close: () => void } {
  return { path: `/proc/self/fd/${of.fd}`, close: () => of.close() };
}
