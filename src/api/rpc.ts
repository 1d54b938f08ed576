/** Services of the wire contracts over hops: converts messages to bytes and back, without another layer. */
import {
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { NetloomError } from "../errors/errors.ts";
import { type Watch } from "../async/watch.ts";
import { wireProblem } from "./wire-scan.ts";
import type { Handler, Hop, Incoming, Message, Metadata, Waiting } from "../world/hops.ts";

type Methods<S extends DescService> = S["method"];

type Implemented<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: Incoming) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: Incoming) => Watch<MessageShape<O>>
      : never;

type RequestOf<M> = M extends { readonly input: infer I extends DescMessage } ? MessageShape<I> : never;

/** A service's methods as functions: `{ request(message, context), close(message, context) }`. */
export type Implementation<S extends DescService> = {
  readonly [K in keyof Methods<S>]: Implemented<Methods<S>[K]>;
};

/** `/package.Service/Method` */
export function methodPath(method: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** One unary call. Errors as in `Hop.call`; INTERNAL if the answer is not of the method's type. */
export async function call<I extends DescMessage, O extends DescMessage>(
  hop: Pick<Hop, "call">,
  method: DescMethodUnary<I, O>,
  request: MessageShape<I>,
  options: Waiting & { readonly metadata?: Metadata },
): Promise<MessageShape<O>> {
  const path = methodPath(method);
  const message = { bytes: toBinary(method.input, request), metadata: options.metadata ?? {} };
  const answer = await hop.call(path, message, options);
  return decode(method.output, answer.bytes, "INTERNAL", `read the answer of ${path}`);
}

/** One call with a stream of answers. */
export function watch<I extends DescMessage, O extends DescMessage>(
  hop: Pick<Hop, "watch">,
  method: DescMethodServerStreaming<I, O>,
  request: MessageShape<I>,
  metadata: Metadata = {},
): Watch<MessageShape<O>> {
  const path = methodPath(method);
  return hop
    .watch(path, { bytes: toBinary(method.input, request), metadata })
    .map((bytes) => decode(method.output, bytes, "INTERNAL", `read an answer of ${path}`));
}

/** A service and its implementation. */
export interface Served {
  readonly service: DescService;
  readonly handler: Handler;
}

/** Called with each request before the method: throws to refuse it. */
export type Before<S extends DescService> = <K extends keyof Methods<S>>(
  method: K,
  request: RequestOf<Methods<S>[K]>,
  context: Incoming,
) => void;

/** Binds functions to the methods of a service. A message that is not of the method's type is INVALID_ARGUMENT. */
export function serve<S extends DescService>(
  service: S,
  implementation: Implementation<S>,
  before?: Before<S>,
): Served {
  const functions = implementation as Readonly<
    Record<string, (message: unknown, context: Incoming) => unknown>
  >;
  const find = (path: string, kind: string) => {
    const method = service.methods.find((each) => methodPath(each) === path && each.methodKind === kind);
    const implemented = method && functions[method.localName];
    if (!method || !implemented)
      throw new NetloomError("UNIMPLEMENTED", `call ${path}: there is no such ${kind} method`);
    const run = (message: unknown, context: Incoming): unknown => {
      before?.(method.localName, message as RequestOf<Methods<S>[string]>, context);
      return implemented(message, context);
    };
    return { method, run };
  };
  return {
    service,
    handler: {
      methods: service.methods.flatMap((method) =>
        method.methodKind === "unary" || method.methodKind === "server_streaming"
          ? [{ path: methodPath(method), kind: method.methodKind === "unary" ? "call" : "watch" }]
          : [],
      ),
      async call(incoming) {
        const { method, run } = find(incoming.method, "unary");
        const request = decode(
          method.input,
          incoming.bytes,
          "INVALID_ARGUMENT",
          `read a request of ${incoming.method}`,
        );
        const answer = (await run(request, incoming)) as MessageShape<typeof method.output>;
        return { bytes: toBinary(method.output, answer), metadata: {} };
      },
      watch(incoming) {
        const { method, run } = find(incoming.method, "server_streaming");
        const request = decode(
          method.input,
          incoming.bytes,
          "INVALID_ARGUMENT",
          `read a request of ${incoming.method}`,
        );
        const answers = run(request, incoming) as Watch<MessageShape<typeof method.output>>;
        return answers.map((answer) => toBinary(method.output, answer));
      },
    },
  };
}

/** Combines several services on one listener. UNIMPLEMENTED for a method that none of them has. */
export function serveAll(services: readonly Served[]): Handler {
  const find = (method: string): Handler => {
    const served = services.find(({ service }) => method.startsWith(`/${service.typeName}/`));
    if (!served) throw new NetloomError("UNIMPLEMENTED", `call ${method}: this listener has no such service`);
    return served.handler;
  };
  return {
    methods: services.flatMap(({ handler }) => handler.methods),
    call: async (incoming): Promise<Message> => await find(incoming.method).call(incoming),
    watch: (incoming) => find(incoming.method).watch(incoming),
  };
}

/**
 * Reads a message that came over the wire. Throws `code` if the bytes are no message, or hold more than a message may
 * (wire-limits.ts); the latter before decoding. `attempt` names the message in the error.
 */
export function decode<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  code: "INTERNAL" | "INVALID_ARGUMENT",
  attempt: string,
): MessageShape<D> {
  const problem = wireProblem(schema, bytes);
  if (problem !== undefined) throw new NetloomError(code, `${attempt}: ${problem}`);
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new NetloomError(code, `${attempt}: ${(error as Error).message}`, { cause: error });
  }
}
