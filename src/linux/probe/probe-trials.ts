/** The trials of kernel features. Every trial runs in a throw-away namespace, synchronously. */
import { closeSync, existsSync, openSync } from "node:fs";
import { KernelError, MESH_MARK } from "../../kernel/kernel.ts";
import {
  bpfError,
  BPF_NETFILTER,
  BPF_PROG_TYPE_NETFILTER,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_TCX_INGRESS,
  createNetfilterLink,
  createTcxLink,
  loadProgram,
} from "../bpf/bpf.ts";
import { loadDatapathOnce } from "../bpf/datapath.ts";
import { decodeAddress, dumpAddresses, newAddress } from "../netlink/address.ts";
import { addBlockFilter, addIngressBlock, deleteIngressBlock } from "../netlink/ingress-block.ts";
import { changeLink, type LinkChange } from "../netlink/link.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import * as k from "../netlink/constants.ts";
import type { Ack } from "../netlink/message-reader.ts";
import { change } from "../netlink/message-writer.ts";
import {
  encapsulatedRoute,
  isNftablesThere,
  newLinkOfKind,
  newQdisc,
  vxlanAttributes,
} from "./probe-messages.ts";
import { close, errnoName, setSocketOption, SOCK_RAW, socket } from "../libc/syscall.ts";

export type Trial =
  | { readonly type: "link" | "qdisc"; readonly kind: string }
  | { readonly type: "netfilter"; readonly defrag: boolean }
  | { readonly type: "route"; readonly encapsulation: "seg6" | "seg6local" }
  | { readonly type: "netlink-option"; readonly option: "strict" | "extended" }
  | {
      readonly type:
        | "tap"
        | "vxlan-vnifilter"
        | "vxlan-localbypass"
        | "tcx"
        | "live-rename"
        | "ingress-block"
        | "datapath"
        | "address-protocol"
        | "btf"
        | "nf-tables"
        | "netns-cookie";
    };

export interface TrialOutcome {
  readonly supported: boolean;
  readonly evidence: string;
}

const BTF_PATH = "/sys/kernel/btf/vmlinux";

/** The kernel's messages for an unknown kind, whatever else is wrong with the request. */
const UNKNOWN = /unknown device type|qdisc kind is unknown|not supported by|not enabled|unknown encap/i;

/** Tries a feature in the current namespace, which has `lo` and is not used afterwards. Never throws. */
export function tryFeature(trial: Trial): TrialOutcome {
  try {
    return attempt(trial);
  } catch (error) {
    return { supported: false, evidence: error instanceof Error ? error.message : String(error) };
  }
}

function attempt(trial: Trial): TrialOutcome {
  switch (trial.type) {
    case "link":
      return judge(`make a link of kind ${trial.kind}`, send(newLinkOfKind(trial.kind, "probe")));
    case "qdisc":
      return judge(`put ${trial.kind} on lo`, send(newQdisc(trial.kind)));
    case "route":
      return judge(`add a route with ${trial.encapsulation}`, send(encapsulatedRoute(trial.encapsulation)));
    case "vxlan-vnifilter":
      return readsBack(vxlanAttributes({ isExternal: true, attribute: 30, value: 1 }), "vnifilter");
    case "vxlan-localbypass":
      return readsBack(vxlanAttributes({ isExternal: false, attribute: 31, value: 0 }), "nolocalbypass");
    case "tcx":
      return tryTcx();
    case "live-rename":
      return tryLiveRename();
    case "netfilter":
      return tryNetfilter(trial.defrag);
    case "ingress-block":
      return tryIngressBlock();
    case "datapath":
      return tryDatapath();
    case "address-protocol":
      return tryAddressProtocol();
    case "tap":
      closeSync(openSync("/dev/net/tun", "r+"));
      return yes("opened /dev/net/tun");
    case "btf":
      return { supported: existsSync(BTF_PATH), evidence: `looked for ${BTF_PATH}` };
    case "nf-tables":
      return { supported: isNftablesThere(), evidence: "asked nf_tables for its generation" };
    case "netns-cookie":
      return yes(`the cookie of a namespace is ${withSocket((netlink) => netlink.netnsCookie())}`);
    case "netlink-option":
    default:
      return tryNetlinkOption(trial.option === "strict" ? k.NETLINK_GET_STRICT_CHK : k.NETLINK_EXT_ACK);
  }
}

function yes(evidence: string): TrialOutcome {
  return { supported: true, evidence };
}

function withSocket<T>(action: (netlink: NetlinkSocket) => T): T {
  const netlink = NetlinkSocket.open();
  try {
    return action(netlink);
  } finally {
    netlink.close();
  }
}

function send(request: Uint8Array): Ack {
  return withSocket((netlink) => netlink.change(request));
}

/** Judges a trial: a refusal for any reason but an unknown kind shows that the kernel supports the kind. */
function judge(attempted: string, ack: Ack): TrialOutcome {
  const { errno, message = "" } = ack;
  if (errno === 0) {
    return yes(attempted);
  }
  const name = errnoName(errno);
  const isUnknown = UNKNOWN.test(message) || (message === "" && (name === "EOPNOTSUPP" || name === "ENOENT"));
  return { supported: !isUnknown, evidence: `${attempted}: ${name}${message === "" ? "" : `: ${message}`}` };
}

/** Kernels ignore unknown attributes: only a value that reads back was understood. */
function readsBack(request: ReturnType<typeof vxlanAttributes>, flag: string): TrialOutcome {
  return withSocket((netlink) => {
    const attempted = `make a vxlan device with ${flag}`;
    const ack = netlink.change(request.create);
    if (ack.errno !== 0) {
      return { supported: false, evidence: `${attempted}: ${errnoName(ack.errno)}: ${ack.message ?? ""}` };
    }
    const value = netlink.get(request.get, request.decode);
    return {
      supported: value === request.value,
      evidence: `${attempted}: reads back as ${value ?? "nothing"}`,
    };
  });
}

const MOV_R0 = (value: number): Buffer => instruction(0xb7, 0, value);
const EXIT = instruction(0x95, 0, 0);

function instruction(opcode: number, register: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes[0] = opcode;
  bytes[1] = register;
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}

function withProgram<T>(
  program: { readonly type: number; readonly attachType: number; readonly instructions: readonly Buffer[] },
  action: (fd: number) => T,
): T {
  const fd = loadProgram({
    name: "probe",
    type: program.type,
    expectedAttachType: program.attachType,
    license: "Dual MIT/GPL",
    instructions: Buffer.concat(program.instructions),
  });
  try {
    return action(fd);
  } finally {
    close(fd);
  }
}

function madeLink(attempted: string, link: number): TrialOutcome {
  if (link < 0) {
    throw bpfError(attempted, link);
  }
  close(link);
  return yes(attempted);
}

function tryTcx(): TrialOutcome {
  const program = {
    type: BPF_PROG_TYPE_SCHED_CLS,
    attachType: BPF_TCX_INGRESS,
    instructions: [MOV_R0(0), EXIT],
  };
  return withProgram(program, (fd) =>
    madeLink("attach a tcx link to lo", createTcxLink(fd, k.LOOPBACK_IFINDEX)),
  );
}

/** Source of the numbers: include/uapi/linux/netfilter.h; the flag is BPF_F_NETFILTER_IP_DEFRAG. */
function tryNetfilter(defrag: boolean): TrialOutcome {
  const program = {
    type: BPF_PROG_TYPE_NETFILTER,
    attachType: BPF_NETFILTER,
    instructions: [MOV_R0(1), EXIT],
  };
  const [IPV4, IPV6, PRE_ROUTING, LOCAL_IN] = [2, 10, 0, 1];
  const hook = defrag
    ? { family: IPV6, hook: PRE_ROUTING, priority: -100, flags: 1 }
    : { family: IPV4, hook: LOCAL_IN, priority: -100, flags: 0 };
  const attempted = `attach a netfilter link${defrag ? " with defragmentation" : ""}`;
  return withProgram(program, (fd) => madeLink(attempted, createNetfilterLink(fd, hook)));
}

/** Attaches a program as batch/wire-program.ts does for devices of the host. Leaves the ingress of lo free. */
function tryIngressBlock(): TrialOutcome {
  const program = { type: BPF_PROG_TYPE_SCHED_CLS, attachType: 0, instructions: [MOV_R0(0), EXIT] };
  return withProgram(program, (fd) => {
    const qdisc = judgeChange("share an ingress block on lo", send(addIngressBlock(k.LOOPBACK_IFINDEX)));
    if (!qdisc.supported) return qdisc;
    const filter = judgeChange(
      "put a BPF filter on an ingress block",
      send(addBlockFilter(fd, { replaces: false })),
    );
    send(deleteIngressBlock(k.LOOPBACK_IFINDEX));
    return filter;
  });
}

/** Only success counts: the kernel may have the parts, but not the combination. */
function judgeChange(attempted: string, ack: Ack): TrialOutcome {
  return ack.errno === 0 ? yes(attempted) : { ...judge(attempted, ack), supported: false };
}

/** Loads and releases the programs of remote wires. */
function tryDatapath(): TrialOutcome {
  loadDatapathOnce();
  return yes("load the programs of the datapath");
}

function tryLiveRename(): TrialOutcome {
  const rename = (to: LinkChange): Ack => send(changeLink(k.LOOPBACK_IFINDEX, to));
  rename({ up: true });
  const outcome = judgeChange("rename lo while it is up", rename({ name: "probe" }));
  rename({ name: "lo", up: false });
  return outcome;
}

function tryAddressProtocol(): TrialOutcome {
  const attempted = "mark an address with a protocol number";
  return withSocket((netlink) => {
    const address = { linkIndex: k.LOOPBACK_IFINDEX, address: "192.0.2.1/32", protocol: MESH_MARK.protocol };
    const { errno } = netlink.change(newAddress(address));
    if (errno !== 0) return { supported: false, evidence: `${attempted}: ${errnoName(errno)}` };
    const found = netlink
      .dump(dumpAddresses(k.LOOPBACK_IFINDEX), decodeAddress)
      .find((each) => each.address === address.address);
    return {
      supported: found?.protocol === address.protocol,
      evidence: `${attempted}: reads back as ${found?.protocol ?? "nothing"}`,
    };
  });
}

function tryNetlinkOption(option: number): TrialOutcome {
  const fd = socket(k.AF_NETLINK, SOCK_RAW, k.NETLINK_ROUTE);
  try {
    setSocketOption(fd, k.SOL_NETLINK, option, 1);
    return yes(`set netlink socket option ${option}`);
  } finally {
    close(fd);
  }
}

/** Sets `lo` up: routes through it need that. */
export function prepareNamespace(): void {
  const m = change(k.RTM_NEWLINK);
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(k.LOOPBACK_IFINDEX).u32(k.IFF_UP).u32(k.IFF_UP);
  const { errno } = send(m.finish());
  if (errno !== 0) {
    throw new KernelError("INTERNAL", `set lo up: ${errnoName(errno)}`, { errno: errnoName(errno) });
  }
}
