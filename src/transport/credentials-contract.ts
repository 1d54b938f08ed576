/**
 * The promises of `Credentials`, as data: every carrier of hops runs all of them, with certificates of its own make. A test file
 * turns each into a test of its own. Handlers are served on one host and called from another.
 */
import { NetloomError } from "../errors/errors.ts";
import type { CertificateProof, Credentials, Proof } from "../world/credentials.ts";
import type { Hop, Incoming } from "../world/hops.ts";
import { ChangingCredentials } from "../world/credentials-fixture.ts";
import { type Peer, principalText } from "../world/peer.ts";
import {
  CALL,
  equal,
  eventually,
  failure,
  handler,
  type HopsUnderTest,
  message,
  ok,
  openStream,
  signal,
  WATCH,
} from "./hops-specimens.ts";

export interface IssueOptions {
  /** Whose certificates are believed. Default: those of the same authority. */
  readonly trusts?: readonly Authority[];
  readonly isExpired?: boolean;
  /** Default: who the certificate says. */
  readonly prove?: CertificateProof["prove"];
}

/** Who issues certificates for a test, each with a key of its own. */
export interface Authority {
  readonly certificate: Uint8Array;
  issue(id: string, options?: IssueOptions): CertificateProof;
}

interface CredentialsUnderTest extends Pick<HopsUnderTest, "near" | "far" | "url"> {
  readonly newAuthority: (name: string) => Authority;
}

interface CredentialsPromise {
  /** A sentence of behaviour. */
  readonly title: string;
  /** Throws if the promise is broken. */
  readonly check: (under: CredentialsUnderTest) => Promise<void>;
}

const NEAR = "spiffe://mesh.test/near";
const FAR = "spiffe://mesh.test/far";

const call = (hop: Hop): Promise<unknown> => hop.call(CALL, message(), { timeoutMs: 5_000 });
const idOf = (peer: Peer | undefined): string => (peer ? principalText(peer.principal) : "nobody");
const keyOf = (peer: Peer | undefined): string => String(peer?.publicKey);

/** Serves on `far` what notes who calls. */
async function serveNoting(
  { far, url }: CredentialsUnderTest,
  credentials: Credentials,
  answer: (incoming: Incoming) => Promise<void> = async () => undefined,
): Promise<Peer[]> {
  const seen: Peer[] = [];
  await far.hops.serve(
    url,
    handler({
      call: async (incoming) => {
        seen.push(incoming.peer);
        await answer(incoming);
        return message();
      },
      watch: (incoming) => {
        seen.push(incoming.peer);
        return openStream(incoming.bytes);
      },
    }),
    credentials,
  );
  return seen;
}

const knowing: readonly CredentialsPromise[] = [
  {
    title: "both ends know after the handshake who the other one is, and by which key",
    check: async (under) => {
      const authority = under.newAuthority("mesh");
      const [near, far] = [authority.issue(NEAR), authority.issue(FAR)];
      const seen = await serveNoting(under, new ChangingCredentials(far));
      const hop = under.near.hops.dial(under.url, new ChangingCredentials(near));
      const peer = await hop.peer({ timeoutMs: 5_000 });
      equal(idOf(peer), FAR);
      await call(hop);
      const stream = hop.watch(WATCH, message(1));
      await stream.take();
      stream.close();
      equal(seen.map(idOf), [NEAR, NEAR]);
      equal(
        [keyOf(peer), keyOf(seen[0])],
        [String(far.prove(far.chain, 0).publicKey), String(near.prove(near.chain, 0).publicKey)],
      );
    },
  },
  {
    title: "what proves nothing is where it comes from, and where the URL leads",
    check: async (under) => {
      const plain = new ChangingCredentials({ kind: "none" });
      const seen = await serveNoting(under, plain);
      const hop = under.near.hops.dial(under.url, plain);
      const peer = await hop.peer({ timeoutMs: 5_000 });
      await call(hop);
      for (const each of [peer, seen[0]]) {
        ok(each !== undefined && each.publicKey === undefined, "nothing is proven");
        equal(each?.principal.kind, under.url.startsWith("unix:") ? "unix" : "address");
      }
    },
  },
  {
    title: "dials of one URL share a connection with the same credentials only",
    check: async (under) => {
      const authority = under.newAuthority("mesh");
      const seen = await serveNoting(under, new ChangingCredentials(authority.issue(FAR)));
      const [one, two] = [
        new ChangingCredentials(authority.issue(NEAR)),
        new ChangingCredentials(authority.issue(`${NEAR}/2`)),
      ];
      for (const each of [one, two, one, two]) await call(under.near.hops.dial(under.url, each));
      equal(seen.map(idOf), [NEAR, `${NEAR}/2`, NEAR, `${NEAR}/2`]);
      ok(seen[0]?.connection !== seen[1]?.connection, "each has a connection of its own");
    },
  },
];

const changing: readonly CredentialsPromise[] = [
  {
    title: "credentials that change at both ends fail no call, and what is under way goes on as it began",
    check: async (under) => {
      const authority = under.newAuthority("mesh");
      const [near, far] = [
        new ChangingCredentials(authority.issue(NEAR)),
        new ChangingCredentials(authority.issue(FAR)),
      ];
      const [begun, goOn] = [signal(), signal()];
      const seen = await serveNoting(under, far, async ({ bytes: [first] }) => {
        if (first !== 9) return;
        begun.give();
        await goOn.promise;
      });
      const hop = under.near.hops.dial(under.url, near);
      const slow = hop.call(CALL, message(9), { timeoutMs: 30_000 });
      await begun.promise;
      const stream = hop.watch(WATCH, message(1));
      equal([...((await stream.take()) ?? [])], [1]);
      for (let n = 0; n < 10; n++) {
        if (n % 2 === 0) near.now = authority.issue(NEAR);
        else far.now = authority.issue(FAR);
        await Promise.all([call(hop), call(hop)]);
      }
      ok(new Set(seen.map(keyOf)).size > 3, "new connections are made with what is new");
      equal(new Set(seen.map(idOf)).size, 1);
      goOn.give();
      await slow;
      const next = stream.take();
      stream.close();
      equal(await next, undefined);
    },
  },
  {
    title: "who is somebody else from now on is so at the next call",
    check: async (under) => {
      const authority = under.newAuthority("mesh");
      const near = new ChangingCredentials(authority.issue(NEAR));
      const far = new ChangingCredentials(authority.issue(FAR));
      const seen = await serveNoting(under, far);
      const hop = under.near.hops.dial(under.url, near);
      await call(hop);
      near.now = authority.issue(`${NEAR}/2`);
      await call(hop);
      equal(seen.map(idOf), [NEAR, `${NEAR}/2`]);
      far.now = authority.issue(`${FAR}/2`);
      near.now = authority.issue(NEAR);
      equal(idOf(await hop.peer({ timeoutMs: 5_000 })), `${FAR}/2`);
    },
  },
  {
    title: "as long as there are no credentials a call says why, and works when they have come",
    check: async (under) => {
      const authority = under.newAuthority("mesh");
      const none = new NetloomError("UNAVAILABLE", "prove who this is: no certificate has come yet");
      const [near, far] = [new ChangingCredentials(none), new ChangingCredentials(none)];
      const seen = await serveNoting(under, far);
      const hop = under.near.hops.dial(under.url, near);
      for (const ask of [
        () => call(hop),
        () => hop.peer({ timeoutMs: 1_000 }),
        () => hop.watch(WATCH, message()).take(),
      ])
        equal((await failure(ask())).message, none.message);
      near.now = authority.issue(NEAR);
      equal((await failure(call(hop))).code, "UNAVAILABLE");
      equal(seen.length, 0);
      far.now = authority.issue(FAR);
      await eventually(under.near, () => call(hop));
      equal(seen.map(idOf), [NEAR]);
    },
  },
];

/** Whom nobody should believe, and what its call comes to. */
async function checkRefused(
  under: CredentialsUnderTest,
  ends: { readonly near: Proof; readonly far: Proof },
): Promise<NetloomError> {
  const seen = await serveNoting(under, new ChangingCredentials(ends.far));
  const hop = under.near.hops.dial(under.url, new ChangingCredentials(ends.near));
  const error = await failure(hop.call(CALL, message(), { timeoutMs: 5_000 }));
  const stream = await failure(hop.watch(WATCH, message()).take());
  ok(["UNAVAILABLE", "UNAUTHENTICATED"].includes(error.code), `${error.code}: ${error.message}`);
  ok(["UNAVAILABLE", "UNAUTHENTICATED"].includes(stream.code), `${stream.code}: ${stream.message}`);
  equal(seen.length, 0);
  return error;
}

const refusing: readonly CredentialsPromise[] = [
  {
    title: "a caller of a strange authority reaches no handler",
    check: async (under) => {
      const [mesh, strange] = [under.newAuthority("mesh"), under.newAuthority("strange")];
      await checkRefused(under, { near: strange.issue(NEAR, { trusts: [mesh] }), far: mesh.issue(FAR) });
    },
  },
  {
    title: "a listener of a strange authority gets no message",
    check: async (under) => {
      const [mesh, strange] = [under.newAuthority("mesh"), under.newAuthority("strange")];
      await checkRefused(under, { near: mesh.issue(NEAR), far: strange.issue(FAR, { trusts: [mesh] }) });
    },
  },
  {
    title: "an authority of the same name is another one",
    check: async (under) => {
      const [mesh, same] = [under.newAuthority("mesh"), under.newAuthority("mesh")];
      await checkRefused(under, { near: same.issue(NEAR, { trusts: [mesh] }), far: mesh.issue(FAR) });
    },
  },
  {
    title: "a certificate that has expired is none",
    check: async (under) => {
      const mesh = under.newAuthority("mesh");
      await checkRefused(under, { near: mesh.issue(NEAR, { isExpired: true }), far: mesh.issue(FAR) });
    },
  },
  {
    title: "who proves nothing is not heard by one who wants a proof",
    check: async (under) => {
      const mesh = under.newAuthority("mesh");
      await checkRefused(under, { near: { kind: "none" }, far: mesh.issue(FAR) });
    },
  },
  {
    title: "one who wants a proof tells nothing to one who has none",
    check: async (under) => {
      const mesh = under.newAuthority("mesh");
      await checkRefused(under, { near: mesh.issue(NEAR), far: { kind: "none" } });
    },
  },
  {
    title: "the last word on a listener is the caller's, and its reason is the error",
    check: async (under) => {
      const mesh = under.newAuthority("mesh");
      const prove = (): never => {
        throw new NetloomError("UNAUTHENTICATED", "it is not whom this process talks to");
      };
      const error = await checkRefused(under, { near: mesh.issue(NEAR, { prove }), far: mesh.issue(FAR) });
      equal(error.code, "UNAUTHENTICATED");
      ok(error.message.includes("it is not whom this process talks to"), error.message);
      const hop = under.near.hops.dial(under.url, new ChangingCredentials(mesh.issue(NEAR, { prove })));
      equal((await failure(hop.peer({ timeoutMs: 5_000 }))).code, "UNAUTHENTICATED");
    },
  },
  {
    title: "the last word on a caller is the listener's",
    check: async (under) => {
      const mesh = under.newAuthority("mesh");
      const prove = (): never => {
        throw new NetloomError("UNAUTHENTICATED", "not you");
      };
      await checkRefused(under, { near: mesh.issue(NEAR), far: mesh.issue(FAR, { prove }) });
    },
  },
  {
    title: "an authority that is not believed any more lets nobody in, and harms nobody who is",
    check: async (under) => {
      const [first, second] = [under.newAuthority("first"), under.newAuthority("second")];
      const both = { trusts: [first, second] };
      const far = new ChangingCredentials(second.issue(FAR, both));
      const seen = await serveNoting(under, far);
      const old = under.near.hops.dial(under.url, new ChangingCredentials(first.issue(NEAR, both)));
      const young = under.near.hops.dial(under.url, new ChangingCredentials(second.issue(`${NEAR}/2`, both)));
      await call(old);
      far.now = second.issue(FAR);
      await call(young);
      await call(old);
      const late = under.near.hops.dial(under.url, new ChangingCredentials(first.issue(`${NEAR}/3`, both)));
      ok(["UNAVAILABLE", "UNAUTHENTICATED"].includes((await failure(call(late))).code), "nobody gets in");
      equal(seen.map(idOf), [NEAR, `${NEAR}/2`, NEAR]);
    },
  },
];

export const credentialsContract: readonly CredentialsPromise[] = [...knowing, ...changing, ...refusing];
