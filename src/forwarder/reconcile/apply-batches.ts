import { type Span, within } from "../../observe/trace.ts";
import { type Kernel, KernelError, type Operation } from "../../kernel/kernel.ts";
import { describeOperation } from "../../kernel/kernel-text.ts";
import { batches } from "./diff.ts";
import { StepRefused } from "./explain.ts";

/**
 * Applies operations batch by batch, each batch as a step of `span`. `StepRefused` names the operation that the kernel refused.
 */
export async function applyBatches(
  kernel: Kernel,
  operations: readonly Operation[],
  span: Span | undefined,
): Promise<void> {
  for (const batch of batches(operations)) {
    const [first] = batch;
    const attributes = { operations: batch.length, ...(first && { first: describeOperation(first) }) };
    await (span
      ? within(span.child("kernel apply", attributes), () => applyBatch(kernel, batch))
      : applyBatch(kernel, batch));
  }
}

async function applyBatch(kernel: Kernel, batch: readonly Operation[]): Promise<void> {
  try {
    await kernel.apply(batch);
  } catch (error) {
    const step = error instanceof KernelError ? batch[error.operation ?? -1] : undefined;
    throw step ? new StepRefused(step, error as KernelError) : error;
  }
}
