import { toBinary } from "@bufbuild/protobuf";
import { NetworkServiceSchema } from "../../api/gen/nsm/registry_pb.js";
import { LIMITS } from "../../elements/limits.ts";
import { type Finding, quote } from "../../text/problem.ts";
import { checkCount, checkEntry } from "../fragments/limits.ts";
import { serviceNameProblem } from "../fragments/nsurl.ts";
import { networkServiceOf } from "./registry-entry.ts";
import type { NetworkServiceDocument } from "./schema.ts";

export function checkNetworkService(document: NetworkServiceDocument): Finding[] {
  const { name } = document.metadata;
  const problem = serviceNameProblem(name);
  if (problem !== undefined) return [{ path: ["metadata", "name"], message: `${quote(name)}: ${problem}` }];
  const own = document.spec?.name;
  if (own !== undefined && own !== name)
    return [{ path: ["spec", "name"], message: `metadata.name is ${quote(name)}; remove this name` }];
  const path = ["spec", "matches"];
  const count = document.spec?.matches?.length ?? 0;
  if (count > LIMITS.list) return checkCount(count, path, "matches", LIMITS.list);
  return checkEntry(toBinary(NetworkServiceSchema, networkServiceOf(document)), path);
}
