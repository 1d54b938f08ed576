/**
 * Labels and annotations of a document, within the limits of Kubernetes.
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
 */
import { z } from "zod";

const NAME = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const DOMAIN = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*";
const KEY = new RegExp(`^(?=.{1,317}$)(?:(?=[^/]{1,253}/)${DOMAIN}/)?${NAME}$`);
const VALUE = new RegExp(`^(?:${NAME})?$`);
const LETTERS = "1-63 letters, digits, dots, hyphens and underscores, a letter or digit at both ends";

const keySchema = z.string().regex(KEY, `use ${LETTERS}; a DNS domain and a slash may come first`);

export const metadataLabelsSchema = z.record(
  keySchema,
  z.string().regex(VALUE, `use ${LETTERS}, or nothing; longer text belongs in an annotation`),
);

export const annotationsSchema = z.record(keySchema, z.string());
