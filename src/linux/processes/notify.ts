import { close, connectSocket, send, socket, SOCK_CLOEXEC } from "../libc/syscall.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/**
 * Tells the manager of services how this one is, on the socket that it has named in NOTIFY_SOCKET.
 * Source: sd_notify(3). An error is thrown as it is: a service that cannot be told of is started again anyway.
 */
export function notifyService(path: string, state: string): void {
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    // struct sockaddr_un: u16 family, then the path; a leading @ is the abstract namespace's zero.
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
