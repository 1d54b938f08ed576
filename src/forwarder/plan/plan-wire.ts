import type { Plan } from "../../kernel/plan.ts";
import { refuse } from "../reconcile/explain.ts";
import { plan } from "./plan.ts";
import { validateWire } from "./validate.ts";
import type { Wire } from "../wire.ts";

/** The plan of a requested wire. INVALID_ARGUMENT, with all problems, if the wire cannot be planned. */
export function planWire(wire: Wire): Plan {
  const problems = validateWire(wire);
  if (problems.length > 0) throw refuse(`make wire ${wire.connectionId}`, problems);
  return plan(wire);
}
