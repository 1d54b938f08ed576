import { closeSync } from "node:fs";
import type { Descriptor } from "../../kernel/privileged.ts";

/** A descriptor that is this thread's own from now on. */
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

/** The file of an open descriptor, by the path under which this process, and no other, reaches it. */
export function fileOf(of: Descriptor): { readonly path: string; readonly close: () => void } {
  return { path: `/proc/self/fd/${of.fd}`, close: () => of.close() };
}
