import type { Qdisc } from "../../../kernel/kernel.ts";
import { keptObject } from "../kept-object.ts";

export const qdisc = keptObject<Qdisc>("qdisc", "root qdisc");
