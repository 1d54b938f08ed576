/** Wires as owners of kernel objects: by their id, in the alias of each of their devices. */
import type { Owners } from "../../kernel/plan.ts";
import { ownerOfAlias } from "../../mechanisms/naming.ts";

export const WIRES: Readonly<Owners> = {
  ownerOf: ownerOfAlias,
  nameOf: (id) => `wire ${id}`,
  makeWay: (id) => `close that wire first: netloom delete wire/${id}`,
};
