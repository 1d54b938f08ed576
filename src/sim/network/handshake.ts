/** Accepts a request after a handshake, in which each end checks the proof of the other. */
import { NetloomError } from "../../errors/errors.ts";
import type { CertificateProof, Proof, Proven } from "../../world/credentials.ts";
import { type Origin, plainPeer } from "../../world/peer.ts";
import type { IncomingMessage } from "../../world/hops.ts";
import { copySent, type Ends, type SimListener, type SentQuestion, unavailable } from "./end.ts";

/** The request at the listener, with a scope that ends at its deadline. UNAVAILABLE if the listener is ending. */
export function arrive(
  question: SentQuestion,
  listener: SimListener,
  timeoutMs: number | undefined,
): IncomingMessage {
  const { method, request } = question;
  if (listener.scope.ended) throw unavailable(question, "it is closing down");
  return {
    ...copySent(request),
    method,
    peer: shakeHands(question, listener).asking,
    scope: listener.scope.child(method, timeoutMs === undefined ? {} : { timeoutMs }),
    deadlineMs: listener.end.clock.monotonicMs() + (timeoutMs ?? Infinity),
  };
}

/**
 * The identities of both ends of a connection, as found at its handshake. UNAUTHENTICATED if the caller does not accept the
 * listener's proof. UNAVAILABLE if the listener does not accept the caller's proof, or if only one end has a proof.
 */
export function shakeHands(question: SentQuestion, listener: SimListener): Ends {
  const { line } = question;
  if (line.met?.listener === listener) return line.met.ends;
  const ends = meet(question, listener);
  line.met = { listener, ends };
  return ends;
}

function meet(question: SentQuestion, listener: SimListener): Ends {
  const { from, url } = question;
  const { connection, proof } = question.line;
  const theirs = originAt(url);
  const own: Origin = theirs.kind === "unix" ? theirs : { kind: "address", address: from.life.host };
  const [asking, answering] = [plainPeer(own, connection), plainPeer(theirs, connection)];
  const other = currentOf(question, listener);
  if (proof.kind === "none" && other.kind === "none") return { asking, answering };
  if (proof.kind === "none" || other.kind === "none")
    throw unavailable(question, "one of the two ends proves nothing");
  return {
    answering: { ...answering, ...prove(proof, other, from.clock.wallMs()) },
    asking: { ...asking, ...proveCaller(question, { listener, proof: other, caller: proof }) },
  };
}

function currentOf(question: SentQuestion, { credentials }: SimListener): Proof {
  try {
    return credentials.current();
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    throw unavailable(question, "it has nothing to prove itself with");
  }
}

function prove(by: CertificateProof, of: CertificateProof, atMs: number): Proven {
  return by.prove(
    of.chain.map((each) => each.slice()),
    atMs,
  );
}

function proveCaller(
  question: SentQuestion,
  ends: {
    readonly listener: SimListener;
    readonly proof: CertificateProof;
    readonly caller: CertificateProof;
  },
): Proven {
  try {
    return prove(ends.proof, ends.caller, ends.listener.end.clock.wallMs());
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    throw unavailable(question, `it has refused the connection: ${error.message}`);
  }
}

/** The origin that a URL leads to. */
export function originAt(url: string): Origin {
  if (url.startsWith("unix:")) return { kind: "unix" };
  return { kind: "address", address: /^tcp:\/\/\[?([^\]]*?)\]?:\d+$/.exec(url)?.[1] ?? url };
}
