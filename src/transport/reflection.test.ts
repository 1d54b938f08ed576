import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { createFileRegistry, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../api/gen/grpc/reflection/v1/reflection_pb.js";
import { Health, HealthCheckRequestSchema } from "../api/gen/grpc/health/v1/health_pb.js";
import { NetworkService } from "../api/gen/nsm/networkservice_pb.js";
import { call, watch } from "../api/rpc.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";
import { grpcTarget } from "./url.ts";

/** A listener of the NetworkService API that answers nothing. */
async function serveNothing(t: TestContext) {
  const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
  const host = grpcHost(t);
  await host.hops.serve(url, {
    methods: [{ path: `/${NetworkService.typeName}/Request`, kind: "call" }],
    call: () => assert.fail("nobody asks"),
    watch: () => assert.fail("nobody asks"),
  });
  return { url, host };
}

type Asked = ServerReflectionRequest["messageRequest"];

/** Sends all questions on one stream. */
async function reflect(t: TestContext, asked: readonly Asked[]): Promise<ServerReflectionResponse[]> {
  const { url } = await serveNothing(t);
  const client = new Client(grpcTarget(url), credentials.createInsecure());
  t.after(() => client.close());
  const stream = client.makeBidiStreamRequest<ServerReflectionRequest, ServerReflectionResponse>(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    (request) => Buffer.from(toBinary(ServerReflectionRequestSchema, request)),
    (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  for (const messageRequest of asked)
    stream.write(create(ServerReflectionRequestSchema, { host: "h", messageRequest }));
  stream.end();
  const answers: ServerReflectionResponse[] = [];
  for await (const answer of stream) answers.push(answer as ServerReflectionResponse);
  return answers;
}

suite("reflection v1", () => {
  test("lists the listener's services, including health and itself", async (t) => {
    const [answer] = await reflect(t, [{ case: "listServices", value: "" }]);
    assert.ok(answer?.messageResponse.case === "listServicesResponse");
    assert.deepEqual(
      answer.messageResponse.value.service.map(({ name }) => name),
      ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "networkservice.NetworkService"],
    );
    assert.deepEqual([answer.validHost, answer.originalRequest?.host], ["h", "h"]);
  });

  test("a symbol's file comes with its imports, enough to build the service from them", async (t) => {
    for (const value of [NetworkService.typeName, `${NetworkService.typeName}.Request`, "connection.Path"]) {
      const [answer] = await reflect(t, [{ case: "fileContainingSymbol", value }]);
      assert.ok(answer?.messageResponse.case === "fileDescriptorResponse", value);
      const file = answer.messageResponse.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
      assert.ok(registry.getMessage("connection.Path"));
      if (value !== "connection.Path") assert.ok(registry.getService(NetworkService.typeName));
    }
  });

  test("an unknown symbol is NOT_FOUND on the stream, which continues", async (t) => {
    const answers = await reflect(t, [
      { case: "fileByFilename", value: "no.proto" },
      { case: "fileContainingSymbol", value: "registry.NetworkServiceRegistry" },
      { case: "allExtensionNumbersOfType", value: "connection.Path" },
      { case: undefined },
      { case: "fileByFilename", value: "nsm/networkservice.proto" },
    ]);
    const codes = answers.map(({ messageResponse }) =>
      messageResponse.case === "errorResponse" ? messageResponse.value.errorCode : messageResponse.case,
    );
    const { NOT_FOUND, INVALID_ARGUMENT } = status;
    assert.deepEqual(codes, [NOT_FOUND, NOT_FOUND, NOT_FOUND, INVALID_ARGUMENT, "fileDescriptorResponse"]);
  });
});

suite("grpc.health.v1", () => {
  const ask = (service: string) => create(HealthCheckRequestSchema, { service });
  const timeoutMs = 1000;

  test("a listener and each of its services are SERVING, and any other is NOT_FOUND", async (t) => {
    const { url, host } = await serveNothing(t);
    const hop = host.hops.dial(url);
    for (const name of ["", NetworkService.typeName]) {
      assert.equal((await call(hop, Health.method.check, ask(name), { timeoutMs })).status, 1);
    }
    await assert.rejects(call(hop, Health.method.check, ask("other"), { timeoutMs }), { code: "NOT_FOUND" });
  });

  test("a watch answers once, SERVICE_UNKNOWN for another service, and stays open", async (t) => {
    const { url, host } = await serveNothing(t);
    for (const [name, answer] of [
      [NetworkService.typeName, 1],
      ["other", 3],
    ] as const) {
      const answers = watch(host.hops.dial(url), Health.method.watch, ask(name));
      assert.equal((await answers.take())?.status, answer);
      const next = answers.take();
      answers.close();
      assert.equal(await next, undefined);
    }
  });
});
