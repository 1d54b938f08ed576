/** Distinguishes Netloom's objects from others by their link group; the numbers are those of src/linux/machine/machine.ts. */

/** All link groups of Netloom share their upper half: those of the mesh, of labs, and of doomed devices of either. */
export function isOurs(group: number): boolean {
  return group >>> 16 === 0x4e4c;
}

/** A device that waits for its deletion has its mark's group plus one. */
export function isDoomed(group: number): boolean {
  return isOurs(group) && (group & 0xff) === 1;
}
