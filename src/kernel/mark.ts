/**
 * Tells Netloom's objects from others: the group of links, the protocol number of addresses, routes, rules and neighbours.
 */
export interface OwnerMark {
  /** IFLA_GROUP. Devices under deletion are in the next group. */
  readonly group: number;
  /** The protocol number in RTA, FRA, NDA and IFA attributes, `/etc/iproute2/rt_protos`. */
  readonly protocol: number;
}

/** The mark of the mesh. */
export const MESH_MARK: Readonly<OwnerMark> = { group: 0x4e4c0000, protocol: 78 };

/** The mark of a lab's underlay. */
export const LAB_MARK: Readonly<OwnerMark> = { group: 0x4e4c0100, protocol: 79 };
