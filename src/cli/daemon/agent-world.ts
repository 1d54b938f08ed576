/** The World of an agent on this machine. In its own file because it loads the kernel's side. */
import type { Ports, World } from "../../world/world.ts";
import { NAMESPACES_FILE } from "../../agent/kept-wires.ts";
import { file_netloom_admin_v1_admin } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { fileOf } from "../../linux/libc/descriptor.ts";
import { LinuxMachine } from "../../linux/machine/machine.ts";
import { peerCredentials } from "../../linux/processes/peer-credentials.ts";
import { linuxCapturer } from "../../linux/capture/capturer.ts";
import { linuxProber } from "../../linux/icmp/prober.ts";
import { linuxProcesses } from "../../linux/processes/processes.ts";
import type { Identity } from "../../identity/identity.ts";
import type { Log } from "../../observe/log.ts";
import type { SpanExporter } from "../../observe/trace.ts";
import { nodeDisk } from "../../transport/node-disk.ts";
import { nodeWorld } from "../../transport/node-world.ts";
import type { Capturer } from "../../kernel/capturer.ts";
import type { Prober } from "../../kernel/prober.ts";
import type { Processes } from "../../kernel/processes.ts";

export interface AgentWorld {
  readonly world: World & Omit<Ports, "store">;
  readonly identity: Identity;
  readonly processes: Processes;
  readonly prober: Prober;
  readonly capturer: Capturer;
  /** Ends everything and leaves the kernel unchanged. */
  close(): Promise<void>;
}

export async function openAgentWorld(options: {
  readonly host: string;
  readonly stateFolder: string;
  readonly bpffs: string;
  /** Default: true. */
  readonly fastPath?: boolean;
  readonly identity: (world: World & Pick<Ports, "hops">) => Identity;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Default: no span is recorded. */
  readonly exporter?: SpanExporter;
}): Promise<AgentWorld> {
  const { host, stateFolder, bpffs, fastPath = true, identity, log, exporter } = options;
  const machine = await LinuxMachine.open();
  try {
    const kernel = await machine.kernel({ bpffs, fastPath });
    const world = nodeWorld({
      host,
      identity,
      ...(log && { log }),
      ...(exporter && { exporter }),
      files: [file_netloom_admin_v1_admin],
      unixCredentials: peerCredentials,
      socketFile: (file) => machine.open({ type: "socket-file", identity: file }).then(fileOf),
    });
    return {
      world: { ...world, disk: nodeDisk(stateFolder, { volatile: [NAMESPACES_FILE] }), kernel },
      identity: world.identity,
      processes: linuxProcesses(machine),
      prober: linuxProber(machine),
      capturer: linuxCapturer(machine),
      close: async () => {
        try {
          await world.close();
        } finally {
          await machine.close();
        }
      },
    };
  } catch (error) {
    await machine.close();
    throw error;
  }
}
