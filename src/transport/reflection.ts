/** Server reflection v1 (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md) for a listener. */
import { create, type DescFile, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { file_grpc_health_v1_health } from "../api/gen/grpc/health/v1/health_pb.js";
import {
  ErrorResponseSchema,
  file_grpc_reflection_v1_reflection,
  FileDescriptorResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../api/gen/grpc/reflection/v1/reflection_pb.js";
import { file_netloom_registry } from "../api/gen/netloom/registry_pb.js";
import { file_nsm_connection } from "../api/gen/nsm/connection_pb.js";
import { file_nsm_networkservice } from "../api/gen/nsm/networkservice_pb.js";
import { file_nsm_registry } from "../api/gen/nsm/registry_pb.js";
import { methodPath } from "../api/rpc.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/** The contracts that a listener may serve. */
const FILES: readonly DescFile[] = [
  file_nsm_networkservice,
  file_nsm_connection,
  file_nsm_registry,
  file_netloom_registry,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
];

/**
 * Serves the descriptors of the services in `names` and of itself. `files` are contracts in addition to those of the
 * mesh.
 */
export function addReflection(
  server: Server,
  names: ReadonlySet<string>,
  files: readonly DescFile[] = [],
): void {
  const reflected = new Reflected(new Set([...names, ServerReflection.typeName]), [...FILES, ...files]);
  server.register(
    methodPath(ServerReflection.method.serverReflectionInfo),
    (stream: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) => {
      stream.on("data", (request: ServerReflectionRequest) => {
        // While the peer does not read, no further request is read.
        if (stream.write(reflected.respond(request))) return;
        stream.pause();
        stream.once("drain", () => stream.resume());
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => stream.end());
    },
    (answer: ServerReflectionResponse) => Buffer.from(toBinary(ServerReflectionResponseSchema, answer)),
    (bytes: Buffer) => fromBinary(ServerReflectionRequestSchema, bytes),
    "bidi",
  );
}

class Reflected {
  readonly #names: ReadonlySet<string>;
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  constructor(names: ReadonlySet<string>, known: readonly DescFile[]) {
    this.#names = names;
    for (const file of known) {
      if (file.services.some(({ typeName }) => names.has(typeName))) this.#add(file);
    }
  }

  respond(request: ServerReflectionRequest): ServerReflectionResponse {
    return create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#answer(request.messageRequest),
    });
  }

  #answer(asked: ServerReflectionRequest["messageRequest"]): Answer {
    switch (asked.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: create(ListServiceResponseSchema, {
            service: [...this.#names].sort().map((name) => ({ name })),
          }),
        };
      case "fileByFilename":
        return answerWith(this.#files.get(asked.value), `file ${asked.value}`);
      case "fileContainingSymbol":
        return answerWith(this.#symbols.get(asked.value), `symbol ${asked.value}`);
      case "allExtensionNumbersOfType":
      case "fileContainingExtension":
        return refusal(status.NOT_FOUND, "there are no extensions here");
      case undefined:
      default:
        return refusal(status.INVALID_ARGUMENT, "the request asks for nothing");
    }
  }

  #add(file: DescFile): void {
    const name = `${file.name}.proto`;
    if (this.#files.has(name)) return;
    this.#files.set(name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const symbol of symbolsOf(file)) this.#symbols.set(symbol, file);
  }
}

function symbolsOf(file: DescFile): string[] {
  const services = file.services.flatMap(({ typeName, methods }) => [
    typeName,
    ...methods.map(({ name }) => `${typeName}.${name}`),
  ]);
  return [...services, ...file.messages.flatMap(typeNames), ...file.enums.map(({ typeName }) => typeName)];
}

function typeNames(message: DescMessage): string[] {
  const enums = message.nestedEnums.map(({ typeName }) => typeName);
  return [message.typeName, ...enums, ...message.nestedMessages.flatMap(typeNames)];
}

/** Answers with the file and its imports, so that the peer needs no second question. */
function answerWith(file: DescFile | undefined, what: string): Answer {
  if (!file) return refusal(status.NOT_FOUND, `there is no ${what} here`);
  const needed = new Set<DescFile>();
  const need = (each: DescFile): void => {
    if (needed.has(each)) return;
    needed.add(each);
    each.dependencies.forEach(need);
  };
  need(file);
  const bytes = [...needed].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return {
    case: "fileDescriptorResponse",
    value: create(FileDescriptorResponseSchema, { fileDescriptorProto: bytes }),
  };
}

function refusal(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: create(ErrorResponseSchema, { errorCode, errorMessage }) };
}
