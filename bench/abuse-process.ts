/** Attacks the registry at the TCP port in the first argument until it is killed: all attacks at once, from one address. */
import { type ClientHttp2Session, connect } from "node:http2";
import { framed, open, reset } from "../fixtures/transport/attack.ts";

const REGISTER = "/registry.NetworkServiceEndpointRegistry/Register";
const FIND = "/registry.NetworkServiceEndpointRegistry/Find";
const url = `http://127.0.0.1:${process.argv[2]}`;
/** Four megabytes of empty names of network services. */
const empties = framed(new Uint8Array(4_000_000).map((_, i) => (i % 2 === 0 ? 0x12 : 0)));
/** A find with `watch`. */
const watch = framed(Uint8Array.of(0x10, 1));
const half = framed(new Uint8Array(200_000), 4_000_000);

/** Calls `attack` every `pauseMs` with a connection; a closed connection is replaced by a new one. */
function again(pauseMs: number, attack: (session: ClientHttp2Session) => void): void {
  let session: ClientHttp2Session | undefined;
  setInterval(() => {
    if (!session || session.closed || session.destroyed) session = connect(url).on("error", () => undefined);
    attack(session);
  }, pauseMs);
}

function times(count: number, session: ClientHttp2Session, call: () => void): void {
  for (let n = 0; n < count && !session.closed && !session.destroyed; n++) call();
}

again(100, (session) => times(4, session, () => open(session, REGISTER).resume().end(empties)));
again(50, (session) => times(200, session, () => open(session, FIND).resume().end(watch)));
again(10, (session) => times(200, session, () => reset(open(session, FIND).end(watch))));
again(200, (session) => times(20, session, () => open(session, REGISTER).resume().write(half)));
