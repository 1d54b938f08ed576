/** The kept state, converted back to release 0.1.0. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WantedSchema, DesiredStateSchema } from "../api/gen/netloom/agent/v1/state_pb.js";
import { toFormer } from "../documents/former.ts";
import { NetloomError } from "../errors/errors.ts";
import { seal, unseal } from "../net/seal.ts";
import type { Disk } from "../world/disk.ts";
import { clientDocument } from "../../fixtures/documents/documents.ts";
import { STATE_FILE, STATE_SEAL } from "./desired-state.ts";
import { writeFormerState } from "./former-state.ts";

const FORMER = { what: "wish", version: 1 } as const;

function diskWith(bytes: Uint8Array | undefined) {
  const files = new Map<string, Uint8Array>(bytes ? [[STATE_FILE, bytes]] : []);
  const disk: Disk = {
    read: (name) => Promise.resolve(files.get(name)),
    append: () => Promise.reject(new Error("nothing is appended")),
    replace: (name, data) => Promise.resolve(void files.set(name, data)),
    sync: () => Promise.resolve(),
  };
  return { disk, file: () => files.get(STATE_FILE) };
}

function specOf(documents: readonly object[]): Uint8Array {
  const attachments = documents.map((document, n) =>
    create(WantedSchema, { document: JSON.stringify(document), connectionId: `id-${n}`, generation: 3n }),
  );
  return toBinary(DesiredStateSchema, create(DesiredStateSchema, { attachments, closing: ["gone"] }));
}

const WEB = clientDocument("web", { workload: { pid: 1 }, service: "db", dhcp: true }, { app: "web" });
/** A document of release 0.1.0 that this version does not understand, and keeps. */
const FOREIGN = { kind: "Connect", name: "far", workload: { pid: 2 }, service: "db@other.example" };

test("documents are written as release 0.1.0 has them, with the ids of their wires", async () => {
  const { disk, file } = diskWith(seal(STATE_SEAL, specOf([WEB, FOREIGN])));
  assert.equal(await writeFormerState({ disk, stateDir: "/state" }, toFormer), 2);
  const sealed = unseal(FORMER, file() ?? new Uint8Array());
  assert.ok(sealed.ok);
  const { attachments, closing } = fromBinary(DesiredStateSchema, sealed.content);
  assert.deepEqual(
    attachments.map(({ document, connectionId }) => [JSON.parse(document), connectionId]),
    [
      [{ kind: "Connect", name: "web", labels: { app: "web" }, workload: { pid: 1 }, service: "db" }, "id-0"],
      [FOREIGN, "id-1"],
    ],
  );
  assert.deepEqual(closing, ["gone"]);
});

test("a state of release 0.1.0 is not changed, and without a state nothing is written", async () => {
  const former = seal(FORMER, specOf([FOREIGN]));
  const { disk, file } = diskWith(former);
  assert.equal(await writeFormerState({ disk, stateDir: "/state" }, toFormer), 0);
  assert.equal(file(), former);
  assert.equal(await writeFormerState({ disk: diskWith(undefined).disk, stateDir: "/state" }, toFormer), 0);
});

test("a damaged state is refused and not changed", async () => {
  const damaged = seal(STATE_SEAL, specOf([WEB])).slice(0, -1);
  const { disk, file } = diskWith(damaged);
  await assert.rejects(
    writeFormerState({ disk, stateDir: "/state" }, toFormer),
    (error: unknown) =>
      error instanceof NetloomError &&
      error.code === "FAILED_PRECONDITION" &&
      error.message.includes(`/state/${STATE_FILE}`) &&
      error.hint !== undefined,
  );
  assert.equal(file(), damaged);
});
