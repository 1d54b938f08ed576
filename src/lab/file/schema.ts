/**
 * The shape of a lab file. The meaning of the values together (does the host exist, do the subnets overlap) is checked in
 * `check.ts`. `make docs` makes the JSON schema for editors from this file.
 */
import { z } from "zod";
import { documentSchema } from "../../documents/fragments/head.ts";
import { guardSchema } from "../../documents/fragments/guard.ts";
import { mtuSchema } from "../../documents/fragments/mtu.ts";
import { policyRouteSchema, routesSchema } from "../../documents/fragments/routes.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import { storeSpellings, storeUrlPattern } from "../../store/stores.ts";
import { LAB_NAME_PART, WORKLOAD_NAME } from "./names.ts";

const RATE = /^[0-9]+(\.[0-9]+)?(bit|kbit|mbit|gbit)$/;
const DURATION = /^[0-9]+(\.[0-9]+)?(us|ms|s)$/;
const PERCENTAGE = /^[0-9]+(\.[0-9]+)?%$/;

const nodeName = z
  .string()
  .regex(LAB_NAME_PART, "use 1-12 lower-case letters and digits, a letter first")
  .describe("1-12 lower-case letters and digits, a letter first.");
const workloadName = z
  .string()
  .regex(WORKLOAD_NAME, "use 1-32 lower-case letters, digits and inner hyphens")
  .describe("1-32 lower-case letters, digits and inner hyphens.");
const mtu = mtuSchema.describe("Bytes.");
const family = z.enum(["ipv4", "ipv6"]);
const text = z.string();

/** Keys that the mechanisms define. `tunnels.ts` reads them by name. */
function tunnelKeys(): object {
  return Object.assign({}, ...REMOTE_TYPES.map(({ labKeys }) => labKeys)) as object;
}

const hostSchema = z
  .strictObject({
    workloads: z.array(workloadName).optional().describe("Names, each a network namespace of its own."),
    ports: z
      .record(nodeName, z.array(text))
      .optional()
      .describe(
        "Devices that the host has before its agent starts, by name. Each has a cable to a machine in a namespace of its own; the values are the machine's addresses, with prefix length.",
      ),
  })
  .nullable()
  .describe("A host: a network namespace with an agent's view of a machine.");

const linkOptions = z.strictObject({
  ends: z.tuple([nodeName, nodeName]).describe("Two hosts or routers."),
  subnets: z
    .array(text)
    .min(1, "name at least one subnet")
    .max(2, "at most one subnet of each family")
    .optional()
    .describe(
      "One subnet for each family; the ends get its first two addresses. Default: one of each family, from the names.",
    ),
  addresses: z
    .record(z.string(), z.array(text))
    .optional()
    .describe("Instead of subnets: the addresses of each end, with prefix length."),
  mtu: mtu.optional().describe("Bytes. Default 1500."),
  rate: z.string().regex(RATE, "write a rate such as 100mbit (bit, kbit, mbit or gbit)").optional(),
  delay: z.string().regex(DURATION, "write a time such as 10ms (us, ms or s)").optional(),
  loss: z.string().regex(PERCENTAGE, "write a share such as 1%").optional(),
});

const linkSchema = z
  .union([linkOptions, z.tuple([nodeName, nodeName])])
  .meta({ alternatives: "a list of two ends such as [alpha, beta], or a map" })
  .describe("A cable of the underlay, between hosts and routers: [alpha, beta], or a map with options.");

const wireSpec = z
  .strictObject({
    client: text.describe(
      "host/workload, or host/workload/interface. Default interface: the name of the workload at the other end.",
    ),
    endpoint: text.describe("The end that answers the request, in the form of client."),
    addresses: z
      .union([
        z.enum(["ipv4", "ipv6", "dual"]),
        z.strictObject({ client: z.array(text).min(1), endpoint: z.array(text).min(1) }),
      ])
      .meta({ alternatives: 'one of "ipv4", "ipv6" or "dual", or a map' })
      .optional()
      .describe("The families, or the addresses of both sides. Default: dual, addresses from the names."),
    routes: routesSchema.optional().describe("More prefixes that each side reaches through the wire."),
    policyRoutes: z
      .array(policyRouteSchema)
      .optional()
      .describe("Routes of the client for selected traffic only."),
    mtu: mtu.optional().describe("Bytes. Default: the MTU of the path."),
    guard: guardSchema,
    mechanism: z
      .enum(REMOTE_TYPES.map(({ document }) => document))
      .optional()
      .describe(`Mechanism of a wire between hosts. Default: ${REMOTE_TYPES[0]?.document}.`),
    ...tunnelKeys(),
    underlay: family.optional().describe("Address family of the tunnel. Default: ipv4, if the path has it."),
  })
  .describe("A wire from a client's interface to an endpoint's.");

/** The schemas of the parts, for a file that is only partly valid. */
export const partSchemas = { host: hostSchema, link: linkSchema, wire: wireSpec };

/** A wire of a lab without agents: a document beside the lab. */
export const wireSchema = documentSchema({
  kind: "Wire",
  about: "Name of the wire, unique in its lab.",
  spec: wireSpec,
});

export const labSchema = documentSchema({
  kind: "Lab",
  name: nodeName,
  about: "The lab's name, part of the names of its namespaces.",
  spec: z.strictObject({
    hosts: z.record(nodeName, hostSchema).describe("The hosts by name."),
    routers: z.array(nodeName).optional().describe("Names of nodes that only forward."),
    links: z.array(linkSchema).optional(),
    registry: z
      .union([nodeName, z.array(nodeName).min(1, "name at least one host")])
      .meta({ alternatives: "a host, or a list of hosts" })
      .optional()
      .describe(
        "The host that runs the registry, or several hosts whose registries share a store. Default: the first host with an agent.",
      ),
    store: z
      .string()
      .regex(storeUrlPattern(), `use ${storeSpellings()}`)
      .optional()
      .describe("Store of the registry. Default: a file in the lab's folder."),
    agents: z
      .union([z.boolean(), z.array(nodeName)])
      .meta({ alternatives: "true, false, or a list of hosts" })
      .optional()
      .describe(
        "Hosts that run an agent; true means all hosts. The agents make the wires of the clients and providers beside the lab.",
      ),
    hostWorkloads: z
      .boolean()
      .optional()
      .describe("Allows the namespaces of hosts as workloads. Default: false."),
  }),
});

export type LinkPart = z.infer<typeof linkSchema>;
export type WirePart = z.infer<typeof wireSpec>;
