/** Captures frames on a device, from inside its namespace, without changing them. */
import type { OnLink } from "./link.ts";

export interface CapturedFrame {
  /** The time at which the kernel saw the frame, since the epoch. */
  readonly timeNs: bigint;
  /** True if the frame left by the device, false if it came in there. */
  readonly isOutgoing: boolean;
  /** The frame from its Ethernet header on, with its VLAN tags. At most `snapBytes`, plus a tag. */
  readonly data: Uint8Array;
  /** The length of the whole frame. Before segmentation (GSO) it may be far larger than the MTU. */
  readonly lengthBytes: number;
}

export interface CaptureOptions {
  /** The most bytes to keep of a frame. */
  readonly snapBytes: number;
  /** Size of the kernel's buffer for unread frames. Frames beyond it are lost and counted. */
  readonly bufferBytes: number;
  /** Called when frames may be there after a read that left none. May be called in vain. */
  readonly onReady: () => void;
}

/** An open capture. It keeps the namespace alive, ends with the process at the latest, and leaves nothing behind. */
export interface Capture {
  /**
   * Returns a limited number of captured frames, in order. `isAll`: no more frames are waiting, so the next one triggers
   * `onReady`. There are no frames while the device is down. NOT_FOUND when the device is gone and all of its frames were
   * read.
   */
  read(): Promise<{ readonly frames: readonly CapturedFrame[]; readonly isAll: boolean }>;
  /** Totals so far: frames captured, and frames among them lost for lack of buffer. Not after `close`. */
  counts(): { readonly passed: number; readonly lost: number };
  /** May be called again. No frame is read and `onReady` is not called afterwards. */
  close(): void;
}

export interface Capturer {
  /**
   * Captures both directions of one device from now on, even after a rename. NOT_FOUND without the namespace or the device.
   */
  open(device: OnLink, options: CaptureOptions): Promise<Capture>;
}
