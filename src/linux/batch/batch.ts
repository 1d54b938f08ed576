/** Runs one batch of operations: in order, all or nothing. */
import { type ApplyOptions, type Failpoint, KernelError, type Operation } from "../../kernel/kernel.ts";
import { describeOperation } from "../../kernel/kernel-text.ts";
import { namespacesOf } from "../../kernel/objects.ts";
import { batchTools } from "./batch-tools.ts";
import { explanationOf, restate } from "./explain.ts";
import type { BatchContext, BatchTools } from "../object-kind.ts";
import { linuxKindOf } from "../objects.ts";
import type { NetnsPlace, Places } from "../namespaces/place.ts";
import { type Job, refuseStep } from "./refuse.ts";
import { errnoName } from "../libc/syscall.ts";
import { NetlinkRefused } from "./transaction.ts";

export class Batch {
  readonly #context: BatchContext;
  readonly #operations: readonly Operation[];
  readonly #failpoint: Failpoint | undefined;
  readonly #places = new Set<NetnsPlace>();

  constructor(context: BatchContext, operations: readonly Operation[], options: ApplyOptions) {
    this.#context = context;
    this.#operations = operations;
    this.#failpoint = options.failpoint;
  }

  /** Opens every namespace of the batch. Refuses an operation in a missing namespace, unless it is a removal. */
  prepare(): void {
    const { places } = this.#context;
    for (const [number, operation] of this.#operations.entries())
      for (const netns of namespacesOf(operation.object)) {
        const place =
          operation.verb === "remove" ? places.find(netns) : this.#open({ number, operation }, netns);
        if (place) this.#places.add(place);
      }
  }

  async run(): Promise<void> {
    const tools = batchTools(this.#context, this.#operations);
    const { transaction } = tools;
    try {
      if (this.#operations.some(({ verb }) => verb !== "remove")) this.#withdraw();
      for (const [number, operation] of this.#operations.entries()) {
        const job = { number, operation };
        if (this.#failpoint) await this.#strike("before", tools, job);
        await executeInOrder(tools, job);
        if (this.#failpoint) await this.#strike("after", tools, job);
      }
      await transaction.flush();
    } catch (error) {
      const failures = transaction.rollBack();
      throw withFailures(this.#refusalOf(tools, error), failures);
    }
    transaction.commit();
    await tools.readiness.wait();
  }

  #open(job: Job, netns: Parameters<Places["of"]>[0]): NetnsPlace {
    try {
      return this.#context.places.of(netns);
    } catch (error) {
      throw restate(job, error);
    }
  }

  async #strike(when: Failpoint["when"], { transaction }: BatchTools, job: Job): Promise<void> {
    const failpoint = this.#failpoint;
    if (failpoint?.operation !== job.number || failpoint.when !== when) return;
    await transaction.flush();
    if (failpoint.how === "crash") process.exit(1);
    const message = `${describeOperation(job.operation)}: failpoint ${when}`;
    throw new KernelError("INTERNAL", message, { operation: job.number });
  }

  /**
   * Withdraws addresses and routes of doomed devices in the namespaces of this batch, so that they attract no packets of
   * its objects.
   */
  #withdraw(): void {
    for (const place of this.#places) {
      const requests = this.#context.reaper.withdraw(place.identity);
      // A refused request means that the address or route is already gone.
      if (requests.length > 0) place.socket.changes(requests);
    }
  }

  #refusalOf(tools: BatchTools, error: unknown): unknown {
    if (!(error instanceof NetlinkRefused)) return error;
    const { operation: number, errno, ack } = error;
    const operation = this.#operations[number];
    return operation
      ? refuseStep({ number, operation }, errno, explanationOf(errno, ack, operation.object, tools))
      : error;
  }
}

/** Sends the queued requests first: if one of them and this operation are both refused, the queued one is reported. */
async function executeInOrder(tools: BatchTools, job: Job): Promise<void> {
  try {
    await execute(tools, job);
  } catch (error) {
    await tools.transaction.flush();
    throw error instanceof NetlinkRefused ? error : restate(job, error);
  }
}

async function execute(tools: BatchTools, job: Job): Promise<void> {
  const { operation } = job;
  const { object, verb } = operation;
  const kind = linuxKindOf(object);
  if (verb === "change") await kind.change(tools, job, object, operation.from);
  else await kind[verb](tools, job, object);
}

/** Adds the failures of the undo to the error. */
function withFailures(error: unknown, failures: readonly unknown[]): unknown {
  if (failures.length === 0 || !(error instanceof Error)) return error;
  const reasons = failures.map((failure) =>
    failure instanceof NetlinkRefused ? errnoName(failure.ack.errno) : String(failure),
  );
  error.message += `; not all of it could be undone: ${reasons.join(", ")}`;
  return error;
}
