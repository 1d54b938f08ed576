/** Explains the error of a kernel without a queueing discipline in terms of the lab. */
import { NetloomError } from "../errors/errors.ts";
import { StepRefused } from "../forwarder/reconcile/explain.ts";
import { KernelError } from "../kernel/kernel.ts";
import { ofKind } from "../kernel/objects.ts";
import type { LabNamespace } from "./topology/topology.ts";

const features = {
  tbf: { module: "sch_tbf", option: "CONFIG_NET_SCH_TBF", keys: "rate" },
  netem: { module: "sch_netem", option: "CONFIG_NET_SCH_NETEM", keys: "delay and loss" },
} as const;

/** Errors of a kernel without the discipline: an unknown kind, or a missing module. */
const missing: readonly (string | undefined)[] = ["ENOENT", "EOPNOTSUPP", "EINVAL"];

/**
 * If the error says that the kernel has no netem or tbf: an UNIMPLEMENTED error in terms of the lab's file, with the
 * remedy as its hint. Else the error itself.
 */
export function explainShape(error: unknown, namespaces: readonly LabNamespace[]): unknown {
  const refused = error instanceof NetloomError ? error.cause : undefined;
  if (!(refused instanceof StepRefused) || !missing.includes(refused.errno)) return error;
  const [object] = ofKind([refused.step.object], "qdisc");
  if (!object) return error;
  const { type } = object.shape;
  const { module, option, keys } = features[type];
  const node = namespaces.find(({ netns }) => netns === object.netns)?.node ?? object.netns;
  const message = `shape ${object.link} in ${node}: this kernel has no ${type} (${option}), which ${keys} of a link need${type === "tbf" ? "s" : ""}`;
  const instead = type === "netem" ? "; a rate works without it" : "";
  return new KernelError("UNIMPLEMENTED", message, {
    hint: `load the module (modprobe ${module}) or boot a kernel with ${option}, or remove ${keys} from the links of the lab${instead}`,
    cause: refused,
  });
}
