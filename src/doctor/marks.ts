/** How our own objects are told apart from those of others; the numbers are those of src/linux/machine/machine.ts. */

/** All link groups of ours share their upper half: the mesh, labs, and what either is about to delete. */
export function isOurs(group: number): boolean {
  return group >>> 16 === 0x4e4c;
}

/** The group of a device that is about to be deleted is one above that of its mark. */
export function isDoomed(group: number): boolean {
  return isOurs(group) && (group & 0xff) === 1;
}
