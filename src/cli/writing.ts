/** Waits for the output of a process: Node.js queues what a pipe does not take at once, and an exit drops the queue. */
import { NetloomError } from "../errors/errors.ts";

/** After a signal, the end waits at most this long for a reader that does not read. */
const patienceMs = 1000;

export interface Writing {
  /** Aborts when the reader of stdout has left. */
  readonly left: AbortSignal;
  /**
   * Resolves with true when the result has left the process, or with false if a signal came first. UNAVAILABLE if it
   * cannot be written.
   */
  done(): Promise<boolean>;
  /** The same for the last messages, but never rejects. */
  end(): Promise<boolean>;
}

/**
 * Follows both outputs of this process. `netloom … | head` closes the pipe early: the command continues, and only its
 * output is lost. Any other reason why the result cannot be written, such as a full disk, is an error. A slow reader is
 * waited for until `signal` aborts.
 */
export function watchWriting(signal: AbortSignal): Writing {
  let failure: NodeJS.ErrnoException | undefined;
  const leaving = new AbortController();
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") failure ??= error;
      else if (stream === process.stdout) leaving.abort();
    });
  }
  const end = async (): Promise<boolean> => {
    const patience = waitAfter(signal);
    const isAll = await Promise.race([
      Promise.all(streams.map(written)).then(() => true),
      patience.over.then(() => false),
    ]);
    patience.stop();
    return isAll;
  };
  return {
    left: leaving.signal,
    end,
    async done() {
      const isAll = await end();
      if (!failure) return isAll;
      throw new NetloomError("UNAVAILABLE", `write the result: ${failure.message}`, {
        hint: "the command has done its work; only its output is lost",
        cause: failure,
      });
    },
  };
}

/** Resolves when the stream's queue is empty: all is written, or its error was reported. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writable) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  // A stream reports its error after the call that caused it.
  await new Promise(setImmediate);
}

/** `over` resolves some time after the signal, unless `stop` is called first. */
function waitAfter(signal: AbortSignal): { readonly over: Promise<void>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(resolve, patienceMs);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin);
  return {
    over: promise,
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", begin);
    },
  };
}
