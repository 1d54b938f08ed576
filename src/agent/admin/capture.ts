/** Captures the frames that pass the ends of wires on this host. */
import { create } from "@bufbuild/protobuf";
import {
  CapturedEndSchema,
  type CaptureReply,
  CaptureReplySchema,
  type CaptureRequest,
  FrameSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Scope } from "../../async/scope.ts";
import { Signal } from "../../async/signal.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Filter } from "../../capture/filter.ts";
import { FILTER_BYTES, matchesFilter } from "../../capture/match-filter.ts";
import { parseFilter } from "../../capture/parse-filter.ts";
import { hasCode, NetloomError } from "../../errors/errors.ts";
import type { Capture, CapturedFrame, Capturer } from "../../kernel/capturer.ts";
import type { Netns } from "../../kernel/kernel.ts";
import type { AdminParts } from "./admin-parts.ts";
import { type EndHere, findEnds } from "./find-wire.ts";

const MAX_SNAP_BYTES = 262_144;
const BUFFER_BYTES = 4 * 2 ** 20;
const MAX_BUFFER_BYTES = 64 * 2 ** 20;
/** Limit of captured ends. Each end has its own buffer. */
const MAX_ENDS = 64;

/** Interval of checks for dead namespaces. An open capture keeps a namespace alive, so no event reports its end. */
const LOOK_MS = 1_000;
/** The shortest time of a timer. */
const PAUSE_MS = 1;

const DEVICE_GONE = "its device is gone: the wire was closed or replaced";
const WORKLOAD_GONE = "its workload is gone";

/**
 * Captures until the caller leaves or all captured ends are gone. Frames are read when the caller takes them. Until then they
 * wait in the kernel, which counts the frames it has no room for. NOT_FOUND if there is no such wire, INVALID_ARGUMENT for
 * an invalid filter, UNIMPLEMENTED if this host cannot capture.
 */
export function capture(parts: AdminParts, scope: Scope, request: CaptureRequest): Watch<CaptureReply> {
  const { capturer } = parts;
  if (!capturer) throw new NetloomError("UNIMPLEMENTED", "capture: this host cannot capture frames");
  const attempt = `capture ${request.of}`;
  const filter = readFilter(attempt, request.filter);
  const snapBytes = within(attempt, request.snapBytes || MAX_SNAP_BYTES, MAX_SNAP_BYTES, "bytes of a frame");
  const bufferBytes = within(
    attempt,
    request.bufferBytes || BUFFER_BYTES,
    MAX_BUFFER_BYTES,
    "bytes of buffer",
  );
  const ends = findEnds(parts, request.of, "capture");
  if (ends.length > MAX_ENDS)
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `${attempt}: it has ${ends.length} wires, and at most ${MAX_ENDS} are captured at a time`,
      { hint: "name one of its wires" },
    );
  const life = scope.child(attempt);
  const capturing = new Capturing(parts, capturer, { ends, filter, snapBytes, bufferBytes, life });
  return watchOf({
    take: async () => {
      try {
        return life.ended ? undefined : await capturing.next();
      } catch (error) {
        if (error instanceof NetloomError && life.ended) return undefined;
        throw error;
      }
    },
    close: () => {
      if (!scope.ended && !life.ended) scope.spawn("end a capture", () => life.end());
    },
  });
}

function readFilter(attempt: string, text: string): Filter | undefined {
  if (text.trim() === "") return undefined;
  const parsed = parseFilter(text);
  if (parsed.ok) return parsed.filter;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `${attempt}: read its filter: column ${parsed.column}: ${parsed.message}`,
    { hint: "a filter is made of host A, net P, port N, tcp, udp, icmp, icmp6, arp, and, or, not, ( )" },
  );
}

function within(attempt: string, value: number, most: number, what: string): number {
  if (value <= most) return value;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `${attempt}: ${value} ${what} are too many: ${most} are allowed`,
  );
}

interface CapturingOptions {
  readonly ends: readonly EndHere[];
  readonly filter: Filter | undefined;
  readonly snapBytes: number;
  readonly bufferBytes: number;
  readonly life: Scope;
}

/** A captured end. It exists until its device or its workload is gone. */
interface Looking {
  readonly number: number;
  readonly here: EndHere;
  readonly capture: Capture;
  /** Cookie of the end's namespace; unique, unlike the name. */
  readonly cookie: string;
  accepted: number;
  /** The number of passed frames in the last message to the caller. */
  toldPassed: number;
}

class Capturing {
  readonly #parts: AdminParts;
  readonly #capturer: Capturer;
  readonly #options: CapturingOptions;
  readonly #signal = new Signal();
  /** The open captures. The one that was read longest ago is first. */
  #turns: Looking[] | undefined;
  readonly #untold: CaptureReply[] = [];
  /** Time of the last check for dead namespaces, on `Clock.monotonicMs`. */
  #lookedMs = 0;

  constructor(parts: AdminParts, capturer: Capturer, options: CapturingOptions) {
    this.#parts = parts;
    this.#capturer = capturer;
    this.#options = options;
  }

  /** The next message. `undefined` when no capture is open any more. */
  async next(): Promise<CaptureReply | undefined> {
    if (!this.#turns) return await this.#begin();
    const { clock } = this.#parts.world;
    const { life } = this.#options;
    while (!life.ended) {
      const told = this.#untold.shift();
      if (told) return told;
      if (this.#turns.length === 0) return undefined;
      const read = await this.#readInTurn();
      if (typeof read !== "boolean") return read;
      await this.#look();
      if (this.#untold.length > 0) continue;
      // A flood of frames that the filter drops must not block other tasks.
      if (read) await this.#signal.wait(clock, life, LOOK_MS);
      else await clock.sleep(PAUSE_MS, life);
    }
    return undefined;
  }

  async #begin(): Promise<CaptureReply> {
    const { ends } = this.#options;
    const turns: Looking[] = [];
    for (const [number, here] of ends.entries()) turns.push(await this.#open(number, here));
    this.#turns = turns;
    this.#lookedMs = this.#parts.world.clock.monotonicMs();
    return create(CaptureReplySchema, {
      ends: ends.map(({ name, end, wire }) =>
        create(CapturedEndSchema, { name, interface: end.interface, wireId: wire.id }),
      ),
    });
  }

  async #open(number: number, here: EndHere): Promise<Looking> {
    const { snapBytes, bufferBytes, life } = this.#options;
    const { netns, interface: link } = here.end;
    const { cookie } = await this.#parts.kernel.resolve(netns as Netns);
    const opened = await this.#capturer.open(
      { netns: netns as Netns, link },
      {
        snapBytes: Math.max(snapBytes, FILTER_BYTES),
        bufferBytes,
        onReady: () => this.#signal.ring(),
      },
    );
    if (life.ended) {
      opened.close();
      throw new NetloomError("CANCELLED", `capture ${here.name}: its caller has left`);
    }
    life.defer(() => opened.close());
    return { number, here, capture: opened, cookie, accepted: 0, toldPassed: 0 };
  }

  /** Reads the captures in turn. Returns the first message; else whether all waiting frames were read. */
  async #readInTurn(): Promise<CaptureReply | boolean> {
    const turns = this.#turns ?? [];
    let isAll = true;
    for (let n = turns.length; n > 0; n--) {
      const looking = turns.shift();
      if (!looking) break;
      turns.push(looking);
      let read;
      try {
        read = await looking.capture.read();
      } catch (error) {
        if (!hasCode(error, "NOT_FOUND")) throw error;
        // A device disappears with its namespace, so both are possible.
        return this.#ended(looking, (await this.#hasWorkload(looking)) ? DEVICE_GONE : WORKLOAD_GONE);
      }
      if (this.#options.life.ended) return true;
      isAll &&= read.isAll;
      const { filter } = this.#options;
      const frames = filter ? read.frames.filter(({ data }) => matchesFilter(filter, data)) : read.frames;
      looking.accepted += frames.length;
      if (frames.length > 0) return this.#reply(looking, { frames });
    }
    return isAll;
  }

  /** Every `LOOK_MS`: reports workloads that are gone, and the count of frames that the filter dropped. */
  async #look(): Promise<void> {
    const nowMs = this.#parts.world.clock.monotonicMs();
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    for (const looking of [...(this.#turns ?? [])].sort((a, b) => a.number - b.number)) {
      const isThere = await this.#hasWorkload(looking);
      if (this.#options.life.ended) return;
      if (!isThere) this.#untold.push(this.#ended(looking, WORKLOAD_GONE));
      else if (looking.capture.counts().passed !== looking.toldPassed)
        this.#untold.push(this.#reply(looking, {}));
    }
  }

  async #hasWorkload({ here, cookie }: Looking): Promise<boolean> {
    try {
      return (await this.#parts.kernel.resolve(here.end.netns as Netns)).cookie === cookie;
    } catch (error) {
      if (hasCode(error, "NOT_FOUND")) return false;
      throw error;
    }
  }

  #ended(looking: Looking, ended: string): CaptureReply {
    const reply = this.#reply(looking, { ended });
    looking.capture.close();
    this.#turns = this.#turns?.filter((each) => each !== looking);
    return reply;
  }

  #reply(
    looking: Looking,
    { frames = [], ended = "" }: { readonly frames?: readonly CapturedFrame[]; readonly ended?: string },
  ): CaptureReply {
    const { passed, lost } = looking.capture.counts();
    looking.toldPassed = passed;
    return create(CaptureReplySchema, {
      end: looking.number,
      frames: frames.map((frame) => this.#frame(looking.here, frame)),
      passed: BigInt(passed),
      lost: BigInt(lost),
      accepted: BigInt(looking.accepted),
      ended,
    });
  }

  #frame({ side, end }: EndHere, { timeNs, isOutgoing, data, lengthBytes }: CapturedFrame) {
    // A frame that a port receives comes from the workload behind it.
    const fromEnd = isOutgoing !== end.isPort;
    return create(FrameSchema, {
      timeNs,
      isOutgoing,
      toEndpoint: fromEnd === (side === "client"),
      data: data.subarray(0, this.#options.snapBytes),
      length: lengthBytes,
    });
  }
}
