/** A mesh with 8 hosts and 50 wires, as its agents tell of it: local wires, tunnels, IPv6, and every way to be not up. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AttachmentStatus,
  AttachmentStatus_State,
  AttachmentStatusSchema,
  type HostStatus,
  HostStatusSchema,
  RegistryStatus_State,
  type Wire,
  Wire_State,
  WireSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";

export const NOW_MS = Date.UTC(2026, 0, 31, 12);

const hostNames = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
const services = ["shop", "db", "cache", "mail"];

const ago = (seconds: number) => timestampFromMs(NOW_MS - seconds * 1000);

/** One status for each host. A wire between hosts is in both. */
export function largeMesh(): HostStatus[] {
  const wires = Array.from({ length: 50 }, (_, n) => wireOf(n));
  return hostNames.map((host, index) =>
    create(HostStatusSchema, {
      host,
      version: "0.1.0",
      url: `tcp://10.0.0.${index + 1}:5001`,
      startedAt: ago(7200 + index),
      identity: "plaintext",
      registry:
        host === "zeta"
          ? {
              url: "tcp://10.0.0.100:5002",
              state: RegistryStatus_State.STALE,
              reason: "ETIMEDOUT",
              staleSince: ago(95),
            }
          : { url: "tcp://10.0.0.100:5002", state: RegistryStatus_State.FRESH, services: 4, endpoints: 8 },
      attachments: [...connectsOf(host, wires), ...exposesOf(host), ...troubleOf(host)],
      wires: wires.flatMap((wire) => halfOf(wire, host)),
      unclaimedWires: host === "eta" ? 2 : 0,
      retrying:
        host === "eta"
          ? [
              {
                what: "remove wire web-db",
                since: ago(40),
                failures: 3,
                reason: "remove veth nsm-1: EBUSY: it is in use",
              },
            ]
          : [],
    }),
  );
}

function wireOf(n: number): Wire {
  const [client = "", endpoint = ""] = [hostNames[n % 8], hostNames[(n * 3 + 2) % 8]];
  const service = services[n % 4] ?? "";
  const isLocal = client === endpoint;
  const path = isLocal ? `veth on ${client}` : `vxlan vni ${4000 + n} ${client}→${endpoint}`;
  const v6 = n % 5 === 0;
  return create(WireSchema, {
    id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    service,
    client: `${client}/web-${n}`,
    endpoint: `${service}.${endpoint}`,
    state: n === 17 ? Wire_State.DOWN : Wire_State.UP,
    clientEnd: { workload: `web-${n}`, netns: `file:///run/netns/web-${n}`, interface: "nsm-1" },
    endpointEnd: { workload: service, netns: `file:///run/netns/${service}`, interface: `${service}-${n}` },
    ...(!isLocal && {
      tunnels: [
        {
          type: "VXLAN",
          words: `vxlan vni ${4000 + n}`,
          parameters: { vni: String(4000 + n) },
          source: "10.0.0.1",
          destination: "10.0.0.2",
          sourceHost: client,
          destinationHost: endpoint,
        },
      ],
    }),
    hosts: isLocal ? [client] : [client, endpoint],
    mtu: isLocal ? 1500 : 1446,
    payload: "IP",
    clientAddresses: v6
      ? [`fd00:${n}::1/128`]
      : [`172.16.${n}.1/32`, ...(n % 7 === 0 ? [`fd01:${n}::1/128`] : [])],
    endpointAddresses: v6
      ? [`fd00:${n}::/128`]
      : [`172.16.${n}.0/32`, ...(n % 7 === 0 ? [`fd01:${n}::/128`] : [])],
    upSince: ago(40 * (n + 1)),
    path,
  });
}

/** What the agent of `host` says of the wire: its own end, or both. */
function halfOf(wire: Wire, host: string): Wire[] {
  const isClient = wire.client.startsWith(`${host}/`);
  const isEndpoint = wire.endpoint.endsWith(`.${host}`);
  if (!isClient && !isEndpoint) return [];
  const { clientEnd, endpointEnd, ...rest } = wire;
  return [
    create(WireSchema, {
      ...rest,
      ...(isClient && clientEnd && { clientEnd }),
      ...(isEndpoint && endpointEnd && { endpointEnd }),
    }),
  ];
}

function connectsOf(host: string, wires: readonly Wire[]): AttachmentStatus[] {
  return wires
    .filter(({ client }) => client.startsWith(`${host}/`))
    .map(({ client, id, service, upSince }, index) => {
      const isHealing = id.endsWith("23");
      return create(AttachmentStatusSchema, {
        ref: { kind: "Connect", name: `${client.split("/")[1]}-${service}` },
        state: isHealing ? AttachmentStatus_State.HEALING : AttachmentStatus_State.UP,
        ...(isHealing && {
          reason: "call tcp://10.0.0.7:5001: nobody answers there: ECONNREFUSED",
          topic: "NL-701",
          attempts: index,
          nextTry: timestampFromMs(NOW_MS + 3000),
        }),
        since: isHealing ? ago(12) : upSince,
        workload: client.split("/")[1] ?? "",
        wireId: id,
        services: [service],
      });
    });
}

function exposesOf(host: string): AttachmentStatus[] {
  const index = hostNames.indexOf(host);
  if (index >= 4) return [];
  const service = services[index] ?? "";
  return [
    create(AttachmentStatusSchema, {
      ref: { kind: "Expose", name: service },
      state: AttachmentStatus_State.UP,
      since: ago(7000),
      workload: service,
      endpoint: `${service}.${host}`,
      services: [service],
      wires: 6,
    }),
  ];
}

/** Attachments without a wire. */
function troubleOf(host: string): AttachmentStatus[] {
  if (host === "beta") {
    return [
      create(AttachmentStatusSchema, {
        ref: { kind: "Connect", name: "api-bank" },
        state: AttachmentStatus_State.FAILED,
        since: ago(61),
        reason: "network service bank is not found",
        hint: "`netloom get services` lists what is offered",
        code: "NOT_FOUND",
        topic: "NL-302",
        attempts: 9,
        nextTry: timestampFromMs(NOW_MS + 4000),
        workload: "api",
        wireId: "00000000-0000-4000-8000-000000000099",
        services: ["bank"],
      }),
    ];
  }
  if (host !== "gamma") return [];
  return [
    create(AttachmentStatusSchema, {
      ref: { kind: "Expose", name: "late" },
      state: AttachmentStatus_State.WAITING,
      since: ago(300),
      reason: "open network namespace file:///run/netns/late: ENOENT: there is none",
      workload: "late",
      endpoint: "late.gamma",
      services: ["late"],
    }),
  ];
}
