/** Stops waiting for an endpoint that the registry has dropped: its host may have failed. */
import { create } from "@bufbuild/protobuf";
import { NetworkServiceEndpointQuerySchema } from "../../api/gen/nsm/registry_pb.js";
import type { EndpointRegistryHop } from "../../api/hops.ts";
import { Alarm } from "../../async/alarm.ts";
import type { Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import type { Scope } from "../../async/scope.ts";

/** Time limit of a close at an unregistered endpoint. Its host may still run, and only no longer offer the endpoint. */
const CLOSE_MS = 1_000;

interface Asked {
  readonly endpoints: EndpointRegistryHop;
  /** Name of the endpoint. */
  readonly name: string;
}

/**
 * Runs `request`, and ends it with UNAVAILABLE as soon as the endpoint is unregistered, so that another one can be
 * tried.
 */
export async function requestWhileRegistered<T>(
  call: Call,
  asked: Asked,
  request: (call: Call) => Promise<T>,
): Promise<T> {
  const what = `request endpoint ${asked.name}: it was unregistered before it answered`;
  return await whileRegistered(call, { ...asked, isFound: true, patienceMs: 0, what }, request);
}

/** Runs `close`. UNAVAILABLE if the endpoint stays unregistered for `CLOSE_MS`. */
export async function closeWhileRegistered(
  call: Call,
  asked: Asked,
  close: (call: Call) => Promise<void>,
): Promise<void> {
  const what = `close a connection at endpoint ${asked.name}: it is not registered and does not answer`;
  await whileRegistered(call, { ...asked, isFound: false, patienceMs: CLOSE_MS, what }, close);
}

interface Patience extends Asked {
  /** The endpoint is known to be registered. */
  readonly isFound: boolean;
  /** Time limit for the answer while the endpoint is not registered. */
  readonly patienceMs: number;
  readonly what: string;
}

async function whileRegistered<T>(
  call: Call,
  { endpoints, name, isFound, patienceMs, what }: Patience,
  ask: (call: Call) => Promise<T>,
): Promise<T> {
  const asking = call.scope.child(`ask ${name}`);
  const watching = call.scope.child(`watch ${name}`);
  const alarm = new Alarm(watching, call.world.clock, (task, error) =>
    call.log.debug(`${task}: ${error.message}`),
  );
  let isOver = false;
  const lose = (): void =>
    alarm.set(`lose ${name}`, patienceMs, async () => {
      isOver = true;
      await asking.end();
    });
  if (!isFound) lose();
  watching.spawn(`follow ${name}`, (task) =>
    follow({ endpoints, name, log: call.log }, task, (isRegistered) =>
      isRegistered ? alarm.stop() : lose(),
    ),
  );
  try {
    return await ask({ ...call, scope: asking });
  } catch (error) {
    if (!isOver) throw error;
    throw new NetloomError("UNAVAILABLE", what, {
      cause: error,
      topic: "NL-303",
      reason: reason("ENDPOINT_NOT_FOUND", { endpoint: name }),
    });
  } finally {
    await watching.end();
    await asking.end();
  }
}

/** Reports changes of the endpoint's registration until `scope` ends. An unreachable registry reports nothing. */
async function follow(
  { endpoints, name, log }: Asked & Pick<Call, "log">,
  scope: Scope,
  tell: (isRegistered: boolean) => void,
): Promise<void> {
  const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: { name }, watch: true });
  const watch = endpoints.find({ scope }, query);
  try {
    for await (const news of watch.within(scope))
      if (news.networkServiceEndpoint?.name === name) tell(!news.deleted);
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    log.debug("the registration of an endpoint cannot be watched during the request", {
      endpoint: name,
      error: error.message,
    });
  }
}
