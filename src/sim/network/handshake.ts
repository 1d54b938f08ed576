/** How a question comes in: behind a handshake, in which each end looks at what the other one proves itself with. */
import { NetloomError } from "../../errors/errors.ts";
import type { CertificateProof, Proof, Proven } from "../../world/credentials.ts";
import { type Origin, plainPeer } from "../../world/peer.ts";
import type { Incoming } from "../../world/hops.ts";
import { copySent, type Ends, type SimListener, type SentQuestion, unavailable } from "./end.ts";

/** The question as it arrives, with a scope that ends at its deadline. UNAVAILABLE if the listener is ending. */
export function arrive(
  question: SentQuestion,
  listener: SimListener,
  timeoutMs: number | undefined,
): Incoming {
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
 * Who the two ends of a connection are to each other: what has been found out when it was made. UNAUTHENTICATED, as at the one
 * who asks, if that one does not believe the listener; UNAVAILABLE if the listener does not believe it, or only one of them
 * proves anything.
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

/** Where a URL leads. */
export function originAt(url: string): Origin {
  if (url.startsWith("unix:")) return { kind: "unix" };
  return { kind: "address", address: /^tcp:\/\/\[?([^\]]*?)\]?:\d+$/.exec(url)?.[1] ?? url };
}
