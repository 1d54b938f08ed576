/** The frames that an agent captured, as a pcapng file and as text. */
import type { CapturedEnd, CaptureReply, Frame } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import {
  type CaptureInterface,
  interfaceBlock,
  packetBlock,
  sectionHeader,
  statisticsBlock,
} from "../../capture/pcapng.ts";
import { count } from "../output.ts";

export interface CaptureFileOptions {
  readonly application: string;
  readonly snapBytes: number;
  /** Empty for no filter. */
  readonly filter: string;
  /** Number of frames after which the file is full. */
  readonly limit: number;
  readonly nowMs: () => number;
}

/** Counters of one end. */
interface Tally {
  readonly end: CapturedEnd;
  written: number;
  passed: bigint;
  lost: bigint;
  accepted: bigint;
}

/** A file that grows with each answer. The first answer, which names the ends, begins the file. */
export class CaptureFile {
  readonly #options: CaptureFileOptions;
  readonly #startMs: number;
  #tallies: readonly Tally[] = [];
  #written = 0;

  constructor(options: CaptureFileOptions) {
    this.#options = options;
    this.#startMs = options.nowMs();
  }

  get isFull(): boolean {
    return this.#written >= this.#options.limit;
  }

  /** `alpha/web/to-db` */
  nameOf(end: number): string {
    return this.#tallies[end]?.end.name ?? "";
  }

  /** Returns the bytes that the answer adds. */
  add(reply: CaptureReply): Uint8Array[] {
    if (this.#tallies.length === 0) return this.#begin(reply.ends);
    const tally = this.#tallies[reply.end];
    if (!tally) throw new RangeError(`the agent reports end ${reply.end} without its name`);
    Object.assign(tally, { passed: reply.passed, lost: reply.lost, accepted: reply.accepted });
    const frames = reply.frames.slice(0, this.#options.limit - this.#written);
    this.#written += frames.length;
    tally.written += frames.length;
    return frames.map((frame) => packet(reply.end, tally.end, frame));
  }

  /** Returns the end of the file: the counters of each end. */
  end(): Uint8Array[] {
    const [startNs, timeNs] = [this.#startMs, this.#options.nowMs()].map((ms) => BigInt(ms) * 1_000_000n);
    return this.#tallies.map(({ passed, lost, accepted }, i) =>
      statisticsBlock({
        interface: i,
        startNs: startNs ?? 0n,
        timeNs: timeNs ?? 0n,
        received: passed,
        accepted,
        dropped: lost,
      }),
    );
  }

  /** `alpha/web/to-db: 3 frames captured of 10 that passed, 0 lost` */
  summary(): string[] {
    return this.#tallies.map(({ end, written, passed, lost }) => {
      const hint = lost === 0n ? "" : " for lack of room: --buffer gives more";
      return `${end.name}: ${count(written, "frame")} captured of ${passed} that passed, ${lost} lost${hint}`;
    });
  }

  #begin(ends: readonly CapturedEnd[]): Uint8Array[] {
    const { application, snapBytes, filter } = this.#options;
    this.#tallies = ends.map((end) => ({ end, written: 0, passed: 0n, lost: 0n, accepted: 0n }));
    const interfaces = ends.map(({ name, interface: device, wireId }): CaptureInterface => ({
      name: device,
      description: `${name}, wire ${wireId}`,
      snapBytes,
      ...(filter !== "" && { filter }),
    }));
    return [sectionHeader(application), ...interfaces.map(interfaceBlock)];
  }
}

function packet(index: number, { name }: CapturedEnd, frame: Frame): Uint8Array {
  const { timeNs, data, length, isOutgoing, toEndpoint } = frame;
  return packetBlock({
    interface: index,
    timeNs,
    data,
    lengthBytes: length,
    isOutbound: isOutgoing,
    comment: `wire ${name}: ${toEndpoint ? "client to endpoint" : "endpoint to client"}`,
  });
}
