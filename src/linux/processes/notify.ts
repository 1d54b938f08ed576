import { close, connectSocket, send, socket, SOCK_CLOEXEC } from "../libc/syscall.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/**
 * Reports the state of this service to the service manager, on the socket of NOTIFY_SOCKET.
 * Source: sd_notify(3). Throws on errors: the service manager restarts a service that cannot report.
 */
export function notifyService(path: string, state: string): void {
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    // struct sockaddr_un: u16 family, then the path; a leading @ stands for the zero byte of the abstract namespace.
    const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
    const address = new Uint8Array(2 + name.length);
    address[0] = AF_UNIX;
    address.set(name, 2);
    connectSocket(fd, address);
    send(fd, Buffer.from(state));
  } finally {
    close(fd);
  }
}
