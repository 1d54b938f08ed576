import type { FileTree } from "./machine.ts";

export interface Process {
  readonly pid: number;
  /** At most 15 bytes, as the kernel keeps it: `NetworkManager`, `systemd-network`. */
  readonly name: string;
}

/** Every process of /proc. */
export function processes(tree: FileTree): Process[] {
  return tree
    .list("proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ({ pid: Number(entry), name: tree.read(`proc/${entry}/comm`)?.trim() ?? "" }))
    .filter(({ name }) => name !== "");
}

/** Who holds a socket, by its inode. `undefined`: nobody, so the kernel itself does (or we may not look). */
export function holderOfSocket(tree: FileTree, inode: string): Process | undefined {
  return processes(tree).find(({ pid }) =>
    tree.list(`proc/${pid}/fd`).some((fd) => tree.target(`proc/${pid}/fd/${fd}`) === `socket:[${inode}]`),
  );
}
