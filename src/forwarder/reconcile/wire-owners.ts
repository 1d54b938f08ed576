/** Wires as owners of kernel objects: a wire's id is in the alias of each of its devices. */
import type { Owners } from "../../kernel/plan.ts";
import { ownerOfAlias } from "../../mechanisms/naming.ts";

export const WIRES: Readonly<Owners> = {
  ownerOf: ownerOfAlias,
  nameOf: (id) => `wire ${id}`,
  makeWay: (id) => `close that wire first: netloom delete wire/${id}`,
};
