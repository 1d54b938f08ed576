/**
 * A connection of a peer that has used more than its share: its next piece is read when it is the peer's turn. HTTP/2
 * processes all input at once, and a few bytes open a stream: so the more streams its bytes open, the smaller a piece
 * is. Unread bytes wait in the kernel, and in the end at the peer. This costs each answer some turns of the event loop,
 * so other peers' connections do without.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { PeerConnection } from "./peer-book.ts";

const MOST_BYTES = 65_536;
const FEWEST_BYTES = 512;
const FIRST_BYTES = 4_096;
/** Streams that one turn of the event loop opens for a peer. */
const STREAMS_PER_TURN = 8;

export class PacedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #connection: PeerConnection;
  #pieceBytes = FIRST_BYTES;
  #isWanted = false;
  #isBusy = false;

  constructor(socket: Socket, connection: PeerConnection) {
    super();
    this.#socket = socket;
    this.#connection = connection;
    socket.setNoDelay(true);
    socket.on("readable", () => this.#readOn());
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    this.#readOn();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _writev(
    pieces: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.write(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #readOn(): void {
    if (!this.#isWanted || this.#isBusy || this.destroyed) return;
    if (this.#socket.readableLength === 0) {
      // Asks for more bytes, or for the end.
      this.#socket.read(0);
      return;
    }
    this.#isBusy = true;
    this.#connection.account.time.run(() => this.#give());
  }

  #give(): void {
    if (this.destroyed) return;
    const { account } = this.#connection;
    const before = account.opened;
    const bytes = Math.min(this.#socket.readableLength, this.#pieceBytes);
    this.#isWanted = false;
    this.push(this.#socket.read(bytes));
    // By then the whole piece has been processed.
    setImmediate(() => {
      const opened = account.opened - before;
      if (opened > STREAMS_PER_TURN) this.#pieceBytes = Math.max(FEWEST_BYTES, this.#pieceBytes / 2);
      else if (opened < STREAMS_PER_TURN / 4) this.#pieceBytes = Math.min(MOST_BYTES, this.#pieceBytes * 2);
      this.#isBusy = false;
      this.#readOn();
    });
  }
}
