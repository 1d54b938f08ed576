/** A workload of this host offers one or more services. */
import type { DocumentKind } from "../kind.ts";
import { networkService } from "../network-service/words.ts";
import { checkExpose } from "./check.ts";
import { Exposing } from "./exposing.ts";
import { type ExposeDocument, exposeSchema } from "./schema.ts";
import { type ExposeWish, exposeWish } from "./wish.ts";

export const exposeKind: Readonly<DocumentKind<ExposeDocument, ExposeWish>> = {
  schema: exposeSchema,
  check: checkExpose,
  mean: exposeWish,
  control: (wish, tools, { onChange }) => {
    const { parts, workloads } = tools;
    const isDescribed = (name: string): boolean => tools.has({ kind: networkService.kind, name });
    return new Exposing({ parts, workloads, wish, isDescribed, onChange });
  },
};
