/** Looks at frames as they pass a device, from inside of its namespace, and changes nothing of them. */
import type { OnLink } from "./link.ts";

export interface CapturedFrame {
  /** Since the epoch: when the kernel saw it. */
  readonly timeNs: bigint;
  /** It left by the device; else it came in there. */
  readonly isOutgoing: boolean;
  /** From the Ethernet header on, with its VLAN tags. At most `snapBytes`, and a tag. */
  readonly data: Uint8Array;
  /** Of the whole frame. Before the kernel has cut it into packets (GSO) it may be far longer than the MTU. */
  readonly lengthBytes: number;
}

export interface CaptureOptions {
  /** The most bytes of a frame that are kept. */
  readonly snapBytes: number;
  /** Room in the kernel for frames that nobody has read yet. What does not fit is lost, and counted. */
  readonly bufferBytes: number;
  /** Called when there may be something to read, and nothing was at the last read. May be called in vain. */
  readonly onReady: () => void;
}

/** While it is open it keeps the namespace alive. It ends with the process at the latest, and leaves nothing behind. */
export interface Capture {
  /**
   * Frames that wait, in the order in which they came: a limited number. `isAll`: no more waits, so `onReady` will be called. While the
   * device is down there are none. NOT_FOUND when the device is gone and all that it had was read.
   */
  read(): Promise<{ readonly frames: readonly CapturedFrame[]; readonly isAll: boolean }>;
  /** Frames until now: all that have passed, and those of them that were lost for lack of room. Not after `close`. */
  counts(): { readonly passed: number; readonly lost: number };
  /** May be called again. After it no frame is read, and `onReady` is not called. */
  close(): void;
}

export interface Capturer {
  /** Both directions of one device, from now on; also after it was renamed. NOT_FOUND without the namespace or the device. */
  open(device: OnLink, options: CaptureOptions): Promise<Capture>;
}
