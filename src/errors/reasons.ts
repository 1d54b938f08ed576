/**
 * The reasons of errors: names with fields, for decisions in code and for readers on other hosts.
 * Model: google.rpc.ErrorInfo of AIP-193 (https://google.aip.dev/193).
 */

/**
 * Every reason with its fields. Names and fields keep their meaning from release to release, because hosts of two
 * releases communicate. A new reason is one more entry; `make docs` lists it in docs/reference/errors.md. An unknown
 * value is an empty string.
 */
export const REASONS = {
  ADDRESS_TAKEN: {
    about: "A workload has the address, or the route, that a wire would bring.",
    fields: { addresses: "addresses that are taken, with commas; none if it is a route" },
  },
  ENDPOINT_NOT_FOUND: {
    about: "The registry does not have this endpoint.",
    fields: { endpoint: "its name" },
  },
  FORWARDER_UNAVAILABLE: {
    about: "A host has no forwarder for the wire.",
    fields: { service: "the requested one", forwarder: "the required one, if any" },
  },
  INTERFACE_TAKEN: {
    about: "Another wire has an interface of this name in the client's workload.",
    fields: { interface: "its name" },
  },
  KERNEL_REFUSED: {
    about: "The kernel of a host refuses an operation.",
    fields: { errno: "its symbol: EEXIST" },
  },
  MECHANISM_UNSUPPORTED: {
    about: "A station supports none of the offered mechanisms.",
    fields: { offered: "types, with commas", supported: "types, with commas" },
  },
  MTU_TOO_SMALL: {
    about: "A wire has too small an MTU.",
    fields: { mtuBytes: "its MTU", leastBytes: "the least that its addresses allow" },
  },
  NO_CANDIDATE: {
    about: "A service has no endpoint for this client.",
    fields: { service: "its name" },
  },
  NO_FREE_ADDRESS: {
    about: "An endpoint has no addresses left for another wire.",
    fields: { endpoint: "its name", pools: "its prefixes, with commas" },
  },
  NO_FREE_IDENTIFIER: {
    about: "A host finds no free identifier for another tunnel.",
    fields: { identifier: "the parameter: vni" },
  },
  NO_TUNNEL_ADDRESS: {
    about: "A host has no address for tunnels now.",
    fields: { addresses: "the configured ones, with commas" },
  },
  PAYLOAD_MISMATCH: {
    about: "A service has another payload than the requested one.",
    fields: { service: "its name", payload: "its payload", asked: "the requested one" },
  },
  PEER_UNREACHABLE: {
    about: "Nobody answers at a URL.",
    fields: { url: "of the peer", why: "the symbol of an errno, such as ECONNREFUSED, or words" },
  },
  PORT_TAKEN: {
    about: "A port is the end of another wire.",
    fields: { port: "the device" },
  },
  SERVICE_NOT_FOUND: {
    about: "The registry has no network service of this name.",
    fields: { service: "its name" },
  },
  TUNNEL_IDENTIFIER_TAKEN: {
    about: "A host has another tunnel with this identifier.",
    fields: { identifier: "the parameter: vni", value: "its value", host: "its address for tunnels" },
  },
  UDP_PORT_TAKEN: {
    about: "Another program or device of a host uses the port of its tunnels.",
    fields: { port: "UDP" },
  },
} as const satisfies Readonly<
  Record<string, { readonly about: string; readonly fields: Readonly<Record<string, string>> }>
>;

export type ReasonName = keyof typeof REASONS;

/** The fields of one reason. */
export type ReasonFields<N extends ReasonName> = Readonly<
  Record<keyof (typeof REASONS)[N]["fields"], string>
>;

/**
 * The reason of a failure. A host with a later release may send a name that this release does not know; it is passed on
 * unchanged.
 */
export interface Reason {
  /** UPPER_SNAKE. */
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
}

export function reason<N extends ReasonName>(name: N, fields: ReasonFields<N>): Reason {
  return { name, fields };
}

/** The fields of `given` if its name is `name` and no field of that reason is missing. */
export function readReason<N extends ReasonName>(
  given: Reason | undefined,
  name: N,
): ReasonFields<N> | undefined {
  if (given?.name !== name) return undefined;
  const isWhole = Object.keys(REASONS[name].fields).every((field) => Object.hasOwn(given.fields, field));
  return isWhole ? (given.fields as ReasonFields<N>) : undefined;
}
