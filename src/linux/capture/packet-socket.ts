/** An AF_PACKET socket that gets all frames of one device. packet(7) */
import type { CapturedFrame } from "../../kernel/capturer.ts";
import { KernelError, type OnLink } from "../../kernel/kernel.ts";
import type { Descriptor, Privileged } from "../../kernel/privileged.ts";
import { assembled, RETURN } from "../libc/classic-bpf.ts";
import { MessageReceiver } from "../libc/message-receiver.ts";
import {
  attachFilter,
  bindSocket,
  deviceRequest,
  setSocketOption,
  SO_RCVBUFFORCE,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socketOption,
  SOL_SOCKET,
} from "../libc/syscall.ts";
import { capturedFrame } from "./packet.ts";

const AF_PACKET = 17;
/** include/uapi/linux/if_ether.h: every protocol, and outgoing frames, too. */
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_AUXDATA = 8;
/** include/uapi/asm-generic/socket.h */
const SO_TIMESTAMPNS = 35;
/** include/uapi/linux/sockios.h. `struct ifreq`: a name of 16 bytes, then a union with the index. */
const SIOCGIFNAME = 0x8910;
const SIOCGIFINDEX = 0x8933;
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;

/** Limits of one read, so that the reader can do other work in between. */
const FRAMES_PER_READ = 64;
const BYTES_PER_READ = 2 ** 20;

export interface PacketSocketOptions {
  readonly snapBytes: number;
  readonly bufferBytes: number;
}

export class PacketSocket {
  readonly #socket: Descriptor;
  readonly #index: number;
  readonly #receiver: MessageReceiver;
  readonly #what: string;
  /** The device was down once: it may be gone since, which the kernel does not report. */
  #wasDown = false;
  #passed = 0;
  #lost = 0;

  private constructor(
    socket: Descriptor,
    { index, what, snapBytes }: { index: number; what: string; snapBytes: number },
  ) {
    this.#socket = socket;
    this.#index = index;
    this.#what = what;
    this.#receiver = new MessageReceiver(snapBytes);
  }

  /** NOT_FOUND without the namespace or the device. No frame arrives before the socket is completely set up. */
  static async open(
    machine: Pick<Privileged, "open">,
    { netns, link }: OnLink,
    { snapBytes, bufferBytes }: PacketSocketOptions,
  ): Promise<PacketSocket> {
    const kind = { domain: AF_PACKET, type: SOCK_RAW | SOCK_NONBLOCK, protocol: 0 };
    const socket = await machine.open({ type: "socket", netns, kind });
    const { fd } = socket;
    const what = `capture on ${link} in ${netns}`;
    try {
      setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bufferBytes);
      setSocketOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
      setSocketOption(fd, SOL_PACKET, PACKET_AUXDATA, 1);
      attachFilter(fd, assembled([[RETURN, snapBytes]]));
      const index = indexOf(fd, link, what);
      bindSocket(fd, addressOf(index));
      return new PacketSocket(socket, { index, what, snapBytes });
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  get fd(): number {
    return this.#socket.fd;
  }

  /** See `Capture.read`. */
  read(): { readonly frames: readonly CapturedFrame[]; readonly isAll: boolean } {
    const frames: CapturedFrame[] = [];
    for (let bytes = 0; frames.length < FRAMES_PER_READ && bytes < BYTES_PER_READ;) {
      const frame = this.#next();
      if (!frame) {
        const gone = this.#wasDown ? this.#goneError() : undefined;
        if (gone && frames.length === 0) throw gone;
        // The kernel does not report the end of the device: the reader must call again after the last frames.
        return { frames, isAll: !gone };
      }
      frames.push(frame);
      bytes += frame.data.length;
    }
    return { frames, isAll: false };
  }

  /** See `Capture.counts`. The kernel resets its counters with each query. */
  counts(): { readonly passed: number; readonly lost: number } {
    const told = socketOption(this.fd, { level: SOL_PACKET, name: PACKET_STATISTICS, size: 8 });
    const [passed = 0, lost = 0] = new Uint32Array(told.buffer);
    this.#passed += passed;
    this.#lost += lost;
    return { passed: this.#passed, lost: this.#lost };
  }

  close(): void {
    this.#socket.close();
  }

  #next(): CapturedFrame | undefined {
    for (;;) {
      try {
        const data = this.#receiver.receive(this.fd);
        if (!data) return undefined;
        const { address } = this.#receiver;
        const auxdata = this.#receiver.control(SOL_PACKET, PACKET_AUXDATA);
        const time = this.#receiver.control(SOL_SOCKET, SO_TIMESTAMPNS);
        return capturedFrame({ data, address, auxdata, time });
      } catch (error) {
        // Reported once, before the frames that arrived until then. Frames arrive again when the device is up again.
        if (!(error instanceof KernelError && error.errno === "ENETDOWN")) throw error;
        this.#wasDown = true;
      }
    }
  }

  /** `undefined` if the device exists. */
  #goneError(): KernelError | undefined {
    const ifreq = new Uint8Array(IFREQ_BYTES);
    new DataView(ifreq.buffer).setInt32(NAME_BYTES, this.#index, true);
    try {
      explained(this.#what, () => deviceRequest(this.fd, SIOCGIFNAME, ifreq));
      return undefined;
    } catch (error) {
      if (error instanceof KernelError && error.code === "NOT_FOUND") return error;
      throw error;
    }
  }
}

function indexOf(fd: number, link: string, what: string): number {
  const ifreq = new Uint8Array(IFREQ_BYTES);
  ifreq.set(Buffer.from(link).subarray(0, NAME_BYTES - 1));
  explained(what, () => deviceRequest(fd, SIOCGIFINDEX, ifreq));
  return new DataView(ifreq.buffer).getInt32(NAME_BYTES, true);
}

function explained(what: string, ask: () => void): void {
  try {
    ask();
  } catch (error) {
    if (!(error instanceof KernelError && error.code === "NOT_FOUND")) throw error;
    throw new KernelError("NOT_FOUND", `${what}: there is no such device`, { cause: error });
  }
}

/** `struct sockaddr_ll`: u16 family | be16 protocol | i32 index | … */
function addressOf(index: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ALL);
  address.setInt32(4, index, true);
  return new Uint8Array(address.buffer);
}
