import type { FileTree } from "./machine.ts";

export interface Process {
  readonly pid: number;
  /** At most 15 bytes, as the kernel keeps them: `NetworkManager`, `systemd-network`. */
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

/** The process that holds a socket, by the socket's inode. `undefined`: the kernel itself holds it, or we may not look. */
export function holderOfSocket(tree: FileTree, inode: string): Process | undefined {
  return processes(tree).find(({ pid }) =>
    tree.list(`proc/${pid}/fd`).some((fd) => tree.target(`proc/${pid}/fd/${fd}`) === `socket:[${inode}]`),
  );
}
