/**
 * A mesh in which every process proves its identity, with upstream's rules for paths: a model of a proving identity. A
 * token names its owner and its audience, `alpha for beta`. It is not signed, because all processes of the test are
 * honest.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Path } from "../api/gen/nsm/connection_pb.js";
import type { Identity } from "../identity/identity.ts";
import { authorizeBy, type PolicyRule, RULES } from "../policy/rules.ts";
import { SimAuthorities } from "../../fixtures/sim/authority.ts";
import { ChangingCredentials } from "../../fixtures/world/credentials.ts";
import { type Peer, principalText } from "../world/peer.ts";
import type { World } from "../world/world.ts";
import { AgentMesh } from "../../fixtures/roles/agent.ts";

const TOKEN = "nsm-client-token";
const LIFETIME_MS = 60_000;

const idOf = (host: string): string => `spiffe://mesh.test/${host}`;

/**
 * Checks the tokens of a path: the last token is from the caller for this process, and each earlier token is for the
 * owner of the next token.
 */
function problemOf({ index, pathSegments }: Path, caller: string, own: string): string | undefined {
  const tokens = pathSegments.slice(0, index).map(({ token }) => token.split(" for "));
  const last = tokens.at(-1);
  if (!last || last[0] !== caller || last[1] !== own)
    return `${last?.join(" for ")} comes from ${caller} to ${own}`;
  const broken = tokens.findIndex(
    ([, audience], i) => i + 1 < tokens.length && audience !== tokens[i + 1]?.[0],
  );
  return broken < 0 ? undefined : `token ${broken} is not for who has sent token ${broken + 1}`;
}

class ProvenMesh {
  readonly mesh: AgentMesh;
  /** Tokens from the metadata of messages, each with the host that got it. */
  readonly heard = new Set<string>();
  readonly refused: string[] = [];
  /** Keys of alpha that other hosts saw. */
  readonly keys = new Set<string>();
  readonly #authority = new SimAuthorities().make("mesh");
  readonly #credentials = new Map<string, ChangingCredentials>();

  constructor() {
    this.mesh = new AgentMesh({
      credentials: (host) => this.#of(host),
      identity: (world) => this.#identity(world),
    });
  }

  rotate(host: string): void {
    this.#of(host).now = this.#authority.issue(idOf(host));
  }

  #of(host: string): ChangingCredentials {
    let known = this.#credentials.get(host);
    if (!known)
      this.#credentials.set(host, (known = new ChangingCredentials(this.#authority.issue(idOf(host)))));
    return known;
  }

  #identity({ host, clock }: World): Identity {
    const own = idOf(host);
    const nameOf = ({ origin, principal }: Peer): string =>
      origin.kind === "self" ? own : principalText(principal);
    const rule: PolicyRule = {
      name: "path",
      refusal: ({ action, resource, context: { path, peer } }) => {
        if (nameOf(peer) === idOf("alpha") && peer.publicKey) this.keys.add(String(peer.publicKey));
        if (!path || resource.kind !== "connection" || !["request", "close"].includes(action))
          return undefined;
        // The beginning of a path has no token yet.
        const problem = path.index === 0 ? undefined : problemOf(path, nameOf(peer), own);
        if (problem === undefined) return undefined;
        this.refused.push(`${host}: ${problem}`);
        return { code: "PERMISSION_DENIED", reason: problem };
      },
    };
    const token = (audience: Peer) => ({
      text: `${own} for ${nameOf(audience)}`,
      expiresAtMs: clock.wallMs() + LIFETIME_MS,
    });
    return {
      summary: own,
      credentials: this.#of(host),
      token,
      tokenOf: (metadata) => {
        const text = metadata[TOKEN];
        if (text === undefined) return undefined;
        this.heard.add(`${text}, at ${own}`.replaceAll(/spiffe:\/\/mesh\.test\//g, ""));
        return { text, expiresAtMs: clock.wallMs() + LIFETIME_MS };
      },
      vouch: (audience) => ({ [TOKEN]: token(audience).text }),
      authorize: authorizeBy([...RULES, rule]),
    };
  }
}

test("each message has a token for its receiver, made after the handshake; each token of the path is for the owner of the next", async () => {
  const proven = new ProvenMesh();
  const { mesh } = proven;
  await mesh.runWithWire(async () => {
    mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    assert.deepEqual([...proven.heard].sort(), [
      "alpha for alpha, at alpha",
      "alpha for beta, at beta",
      "alpha for registry, at registry",
      "beta for beta, at beta",
      "beta for registry, at registry",
    ]);
    const { path } = mesh.agent("alpha").forwarder.established()[0] ?? assert.fail("no connection");
    const tokens = path?.pathSegments.map(({ token }) => token.replaceAll("spiffe://mesh.test/", ""));
    assert.deepEqual(tokens?.slice(0, 3), ["alpha for alpha", "alpha for alpha", "alpha for beta"]);
    assert.deepEqual(proven.refused, []);
  });
});

test("certificates that change while wires are up are used by the next connection, and nothing fails", async () => {
  const proven = new ProvenMesh();
  const { mesh } = proven;
  await mesh.runWithWire(async () => {
    for (let n = 0; n < 6; n++) {
      for (const host of ["alpha", "beta", "registry"]) proven.rotate(host);
      await mesh.sleep(LIFETIME_MS / 2);
      const attachment = mesh
        .agent("alpha")
        .attachments.find({ kind: "NetworkServiceClient", name: "web-db" });
      assert.equal(attachment?.view.state, "up", attachment?.view.reason);
    }
    mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    assert.ok(proven.keys.size > 3, `${proven.keys.size} keys were seen`);
    await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
    await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "db" }]);
    await mesh.sleep(500);
    await mesh.holdsNothing();
    assert.deepEqual(proven.refused, []);
  });
});
