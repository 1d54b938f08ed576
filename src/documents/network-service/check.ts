import { toBinary } from "@bufbuild/protobuf";
import { NetworkServiceSchema } from "../../api/gen/nsm/registry_pb.js";
import { LIMITS } from "../../elements/limits.ts";
import { type Finding, quote } from "../../text/problem.ts";
import { checkCount, checkEntry } from "../fragments/limits.ts";
import { serviceNameProblem } from "../fragments/nsurl.ts";
import { networkServiceOf } from "./registry-entry.ts";
import type { NetworkServiceDocument } from "./schema.ts";

export function checkNetworkService(document: NetworkServiceDocument): Finding[] {
  const { name } = document;
  const problem = serviceNameProblem(name);
  if (problem !== undefined) return [{ path: ["name"], message: `${quote(name)}: ${problem}` }];
  const count = document.matches?.length ?? 0;
  if (count > LIMITS.list) return checkCount(count, ["matches"], "matches", LIMITS.list);
  return checkEntry(toBinary(NetworkServiceSchema, networkServiceOf(document)), ["matches"]);
}
