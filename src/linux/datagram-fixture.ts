/** Datagrams between namespaces, for tests that ask whether packets pass. */
import { type Netns } from "../kernel/kernel.ts";
import type { LinuxMachine } from "./machine.ts";
import { bind, close, connect, receive, send, waitReadable } from "./syscall.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const PORT = 7777;

/** Sends one UDP datagram over IPv4 and waits for it at the other side. True if it came within two seconds. */
export async function passes(
  machine: LinuxMachine,
  from: Netns,
  to: Netns,
  address: string,
): Promise<boolean> {
  const kind = { domain: AF_INET, type: SOCK_DGRAM, protocol: 0 };
  const { fd: receiver } = await machine.open({ type: "socket", netns: to, kind });
  const { fd: sender } = await machine.open({ type: "socket", netns: from, kind });
  try {
    bind(receiver, socketAddress("0.0.0.0"));
    connect(sender, socketAddress(address));
    const payload = new TextEncoder().encode(`to ${address}`);
    send(sender, payload);
    if (!(await waitReadable(receiver, 2000))) return false;
    const received = receive(receiver, new Uint8Array(100));
    return received !== undefined && Buffer.compare(received, payload) === 0;
  } finally {
    close(receiver);
    close(sender);
  }
}

/** `struct sockaddr_in`: u16 family | be16 port | address | 8 zero bytes. */
function socketAddress(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, PORT, false);
  bytes.set(address.split(".").map(Number), 4);
  return bytes;
}
