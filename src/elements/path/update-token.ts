/** Signs each path segment and sets its expiry time. Upstream: sdk/pkg/networkservice/common/updatetoken */
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection, Path, PathSegment } from "../../api/gen/nsm/connection_pb.js";
import { memoryKey, type Call } from "../../chain/call.ts";
import type { Identity, Token } from "../../identity/identity.ts";
import { NetloomError } from "../../errors/errors.ts";
import { SELF } from "../../world/peer.ts";
import { cutPath } from "./update-path.ts";
import { connectionOf, ownSegment, previousSegment, type ConnectionElement } from "../connection.ts";

/** The longest accepted lifetime of a token, whatever the token says. */
const MAX_LIFETIME_MS = 24 * 3_600_000;

/** The expiry of the caller's segment in this process's last answer. */
const TOLD_EXPIRY = memoryKey<number>("update-token: the caller's expiry");

/**
 * For a role that has a caller.
 *
 * Guarantees
 * - Behind this element the caller's segment and the own segment have a token and an expiry, on request and close. The
 *   own token is for the caller. The token for the next station is made when the connection to it exists
 *   (`Call.vouch`).
 * - A caller's token in the metadata replaces the token in the path. An expired token is INVALID_ARGUMENT for a
 *   request; a close is accepted anyway.
 * - A caller without a token may set its lifetime (`expires` of its segment). A caller that repeats the expiry of the
 *   last answer, or sets none, gets the lifetime of this process's own token.
 */
export function updateToken(identity: Identity): ConnectionElement {
  const stamp = (call: Call, connection: Connection): void => {
    const previous = previousSegment(connection);
    const token = identity.token(call.peer);
    if (previous) stampCaller(call, previous, { sent: identity.tokenOf(call.metadata ?? {}), own: token });
    const own = ownSegment(connection);
    if (own) setToken(own, token);
  };
  return {
    name: "update-token",
    request(call, request, next) {
      const connection = connectionOf(request);
      checkExpiry(call, connection, identity.tokenOf(call.metadata ?? {}));
      stamp(call, connection);
      return next(request, { ...call, vouch: identity.vouch });
    },
    close(call, connection, next) {
      stamp(call, connection);
      return next(connection, { ...call, vouch: identity.vouch });
    },
  };
}

/**
 * For a role that begins the path: sets the expiry of its own segment. The next station is still unknown. It takes the
 * token from the metadata and writes it into the segment.
 */
export function updateOwnToken(identity: Identity): ConnectionElement {
  const stamp = (connection: Connection): void => {
    const own = ownSegment(connection);
    if (own) setToken(own, { text: "", expiresAtMs: identity.token(SELF).expiresAtMs });
  };
  return {
    name: "update-token",
    request(call, request, next) {
      stamp(connectionOf(request));
      return next(request, { ...call, vouch: identity.vouch });
    },
    close(call, connection, next) {
      stamp(connection);
      return next(connection, { ...call, vouch: identity.vouch });
    },
  };
}

/** The path of a message up to this process, with the caller's token from the metadata. For access rules. */
export function wayHere({ path }: Connection, sent: Token | undefined): Path | undefined {
  if (!path) return undefined;
  const way = copyMessage(path);
  cutPath(way);
  const caller = way.pathSegments[way.index - 1];
  if (caller && sent) caller.token = sent.text;
  return way;
}

function stampCaller(
  call: Call,
  caller: PathSegment,
  { sent, own }: { readonly sent: Token | undefined; readonly own: Token },
): void {
  const nowMs = call.world.clock.wallMs();
  if (sent) {
    setToken(caller, { ...sent, expiresAtMs: Math.min(sent.expiresAtMs, nowMs + MAX_LIFETIME_MS) });
    return;
  }
  const said = caller.expires ? timestampMs(caller.expires) : 0;
  const isNews = said > nowMs && said !== call.memory.get(TOLD_EXPIRY);
  const expiresAtMs = isNews ? Math.min(said, nowMs + MAX_LIFETIME_MS) : own.expiresAtMs;
  call.memory.set(TOLD_EXPIRY, expiresAtMs);
  caller.expires = timestampFromMs(expiresAtMs);
}

function checkExpiry(call: Call, { id }: Connection, sent: Token | undefined): void {
  const agoMs = sent ? call.world.clock.wallMs() - sent.expiresAtMs : -1;
  if (agoMs < 0) return;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `request connection ${id}: the token of its caller expired ${Math.round(agoMs / 1000)} s ago`,
    { hint: "send a new token, and compare the clocks of the two hosts" },
  );
}

function setToken(segment: PathSegment, { text, expiresAtMs }: Token): void {
  segment.token = text;
  segment.expires = timestampFromMs(expiresAtMs);
}
