/**
 * VXLAN between two forwarders. Upstream: common/mechanisms/vxlan/vni and sdk-vpp/pkg/networkservice/mechanisms/vxlan.
 *
 * ```
 *  near (the client's host)                             far (the endpoint's host)
 *    src_ip, src_port, MTU, vni: free here   ------->     vni kept if it is free here, else "is taken"
 *    another vni, three requests in all      <-------     dst_ip, dst_port, MTU: the smaller one
 * ```
 */
import { copyMessage } from "../api/copy-message.ts";
import { create } from "@bufbuild/protobuf";
import { MechanismSchema, type Connection, type Mechanism } from "../api/gen/nsm/connection_pb.js";
import { type NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import { isLocalUrl } from "../api/directory.ts";
import { memoryKey, type Call } from "../chain/call.ts";
import { formatIp, parseIp } from "../net/ip.ts";
import { NetloomError } from "../errors/errors.ts";
import { KernelError } from "../kernel/kernel.ts";
import { connectionOf, contextOf, type ConnectionElement } from "./connection.ts";
import { VXLAN_PORT } from "../kernel/objects/vxlan.ts";
import { portOf, readNumber, REMOTE, smallerMtu, VXLAN, vxlanOverhead } from "./mechanism.ts";
import type { ServerMechanism } from "./mechanisms.ts";
import type { VniPool } from "./vni-pool.ts";
import { wireIdOf } from "./wire-id.ts";

export interface TunnelOptions {
  /** Addresses of this host's VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  /** UDP port. Default: 4789. */
  readonly port?: number;
  /** MTU of the network between the hosts. */
  readonly underlayMtuBytes: number;
  /** One for all forwarders of a host. */
  readonly vnis: VniPool;
  /** The VNI that an earlier process used for the wire, so that a restart keeps the tunnel. */
  readonly recallVni?: (connectionId: string) => number | undefined;
}

const ATTEMPTS = 3;
const NEAR_VNI = memoryKey<number>("vxlan: vni of the near side");
const FAR_VNI = memoryKey<number>("vxlan: vni of the far side");
const FAR_BEFORE = memoryKey<number>("vxlan: vni of the far side before this request");

/**
 * The near side: offers a tunnel to a next station on another host.
 *
 * Guarantees
 * - The VNI is free on this host, and stays the same as long as nobody objects.
 * - A VNI that turns out to be taken, here or there, by us or by a stranger, is answered by a request with another one;
 *   three requests in all, then ALREADY_EXISTS.
 */
export function vxlanClient(options: TunnelOptions): ConnectionElement {
  const { vnis } = options;
  return {
    name: "vxlan",
    async request(call, request, next) {
      if (isLocalUrl(call.nextUrl ?? "")) return await next(request);
      const { id } = connectionOf(request);
      const before = call.memory.get(NEAR_VNI);
      for (let attempt = 1; ; attempt++) {
        const vni = chooseVni(call, options, { connection: connectionOf(request), attempt });
        call.memory.set(NEAR_VNI, vni);
        try {
          const answer = await next(offer(call, request, { options, vni, isAnother: vni !== before }));
          keepAnswered(call, answer, { vnis, vni });
          if (before !== undefined && before !== call.memory.get(NEAR_VNI)) vnis.release(before, id);
          return answer;
        } catch (error) {
          const isTaken = isVniTaken(error, vni);
          if (vni !== before) vnis.release(vni, id);
          if (isKernelClash(error, vni)) vnis.avoid(vni);
          if (before === undefined) call.memory.delete(NEAR_VNI);
          else call.memory.set(NEAR_VNI, before);
          if (!isTaken || attempt === ATTEMPTS || call.scope.ended) throw error;
        }
      }
    },
    async close(call, connection, next) {
      try {
        await next(connection);
      } finally {
        const vni = call.memory.delete(NEAR_VNI);
        if (vni !== undefined) vnis.release(vni, connection.id);
      }
    },
  };
}

/** What the far side says of a proposed VNI that it cannot have, so that the near side knows it among other errors. */
class VniTaken extends NetloomError {
  constructor(vni: number, host: string) {
    super("ALREADY_EXISTS", `make a tunnel to ${host}: VNI ${vni} is taken`);
  }
}

/** Has the request failed because of this VNI: by the far side's word, or by this host's kernel? */
function isVniTaken(error: unknown, vni: number): boolean {
  if (!(error instanceof NetloomError) || error.code !== "ALREADY_EXISTS") return false;
  return error.message.includes(`VNI ${vni} is taken`) || isKernelClash(error, vni);
}

function isKernelClash(error: unknown, vni: number): boolean {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if (each instanceof KernelError) {
      return (
        each.errno === "EEXIST" && each.message.startsWith("add vxlan") && each.message.includes(`vni ${vni}`)
      );
    }
  }
  return false;
}

function chooseVni(
  call: Call,
  { vnis, recallVni }: TunnelOptions,
  { connection, attempt }: { readonly connection: Connection; readonly attempt: number },
): number {
  const wireId = wireIdOf(connection);
  const holder = connection.id;
  if (attempt > 1) return vnis.take(wireId, { holder, attempt });
  const known = call.memory.get(NEAR_VNI) ?? recallVni?.(wireId);
  return known !== undefined && vnis.claim(known, wireId, holder) ? known : vnis.take(wireId, { holder });
}

function offer(
  call: Call,
  request: NetworkServiceRequest,
  {
    options,
    vni,
    isAnother,
  }: { readonly options: TunnelOptions; readonly vni: number; readonly isAnother: boolean },
): NetworkServiceRequest {
  const offered = copyMessage(request);
  const source = nearAddress(call, options);
  offered.mechanismPreferences.push(
    create(MechanismSchema, {
      cls: REMOTE,
      type: VXLAN,
      parameters: {
        src_ip: source,
        src_port: String(options.port ?? VXLAN_PORT),
        vni: String(vni),
        MTU: String(options.underlayMtuBytes - vxlanOverhead(source)),
      },
    }),
  );
  // A mechanism with the old VNI would win over the preference.
  if (isAnother) delete connectionOf(offered).mechanism;
  return offered;
}

/** Of the family that the next station is reached by, if there is one. */
function nearAddress(call: Call, { addresses }: TunnelOptions): string {
  const isV6 = (call.nextUrl ?? "").includes("[");
  const address = addresses.find((each) => each.includes(":") === isV6) ?? addresses[0];
  if (address === undefined) {
    throw new NetloomError("FAILED_PRECONDITION", "make a tunnel: this host has no address for tunnels", {
      topic: "NL-404",
      hint: "give the agent an underlay address",
    });
  }
  return address;
}

/** The far side may have had its own mind about the VNI: then that one is in the kernel now. */
function keepAnswered(
  call: Call,
  answer: Connection,
  { vnis, vni }: { readonly vnis: VniPool; readonly vni: number },
): void {
  const mechanism = answer.mechanism;
  const answered = readNumber(mechanism?.parameters["vni"], 0xff_ffff) ?? vni;
  if (answered !== vni && vnis.claim(answered, wireIdOf(answer), answer.id)) {
    vnis.release(vni, answer.id);
    call.memory.set(NEAR_VNI, answered);
  }
  limitMtu(answer, mechanism);
}

function limitMtu(connection: Connection, mechanism: Mechanism | undefined): void {
  const mtuBytes = readNumber(mechanism?.parameters["MTU"], 65_535) ?? 0;
  if (mtuBytes === 0) return;
  const context = contextOf(connection);
  context.MTU = smallerMtu(context.MTU, mtuBytes);
}

/**
 * The far side.
 *
 * Guarantees
 * - A proposed VNI is kept if no other wire of this host has it; otherwise, and if the kernel refuses it because of a stranger's
 *   device, the near side is told that it is taken. Without a proposal one is drawn.
 * - The tunnel ends at an address of the near side's family.
 */
export function vxlanServer(options: TunnelOptions): ServerMechanism {
  const { vnis } = options;
  return {
    type: VXLAN,
    request(call, connection, mechanism) {
      const { parameters } = mechanism;
      const address = farAddress(options, mechanism);
      const before = call.memory.get(FAR_VNI);
      const proposed = readNumber(parameters["vni"], 0xff_ffff) ?? 0;
      const [wireId, holder] = [wireIdOf(connection), connection.id];
      const vni = proposed || (before ?? vnis.take(wireId, { holder }));
      if (!vnis.claim(vni, wireId, holder)) throw new VniTaken(vni, address);
      if (before !== undefined && before !== vni) call.memory.set(FAR_BEFORE, before);
      call.memory.set(FAR_VNI, vni);
      const mtuBytes = smallerMtu(
        readNumber(parameters["MTU"], 65_535) ?? 0,
        options.underlayMtuBytes - vxlanOverhead(address),
      );
      mechanism.cls = REMOTE;
      Object.assign(parameters, {
        vni: String(vni),
        dst_ip: address,
        dst_port: String(options.port ?? VXLAN_PORT),
        MTU: String(mtuBytes),
      });
      limitMtu(connection, mechanism);
    },
    answered(call, connection) {
      const before = call.memory.delete(FAR_BEFORE);
      if (before !== undefined) vnis.release(before, connection.id);
      limitMtu(connection, connection.mechanism);
    },
    failed(call, error) {
      const vni = call.memory.get(FAR_VNI);
      if (vni === undefined || !isVniTaken(error, vni)) return error;
      if (isKernelClash(error, vni)) vnis.avoid(vni);
      return new VniTaken(vni, options.addresses[0] ?? "this host");
    },
    close(call, { id }) {
      for (const key of [FAR_VNI, FAR_BEFORE]) {
        const vni = call.memory.delete(key);
        if (vni !== undefined) vnis.release(vni, id);
      }
    },
  };
}

function farAddress({ addresses, port = VXLAN_PORT }: TunnelOptions, { parameters }: Mechanism): string {
  const source = parseIp(parameters["src_ip"] ?? "");
  if (!source) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `make a tunnel: src_ip ${JSON.stringify((parameters["src_ip"] ?? "").slice(0, 64))} is no address`,
    );
  }
  const address = addresses.find((each) => parseIp(each)?.family === source.family);
  if (address === undefined) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `make a tunnel to ${formatIp(source)}: this host has no IPv${source.family} address for tunnels`,
      { topic: "NL-404" },
    );
  }
  if (portOf(parameters["src_port"]) !== port) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `make a tunnel to ${formatIp(source)}: it uses UDP port ${parameters["src_port"]}, and this host ${port}`,
      { topic: "NL-405", hint: "VXLAN devices of Linux need one port for all hosts" },
    );
  }
  return address;
}
