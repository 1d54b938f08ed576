/** The World of an agent on this machine. Apart from the command, because it loads the kernel's side. */
import { NAMESPACES_FILE } from "../../agent/kept-wires.ts";
import { file_netloom_admin_v1_admin } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { LinuxMachine } from "../../linux/machine.ts";
import { linuxProber } from "../../linux/prober.ts";
import { linuxProcesses } from "../../linux/processes.ts";
import type { Log } from "../../observe/log.ts";
import { MemoryStore } from "../../store/memory.ts";
import { nodeWorld, type NodeWorld } from "../../transport/node-world.ts";
import type { Prober } from "../../world/prober.ts";
import type { Processes } from "../../world/processes.ts";

export interface AgentWorld {
  readonly world: NodeWorld;
  readonly processes: Processes;
  readonly prober: Prober;
  /** Ends everything, and leaves the kernel as it is. */
  close(): Promise<void>;
}

export async function openAgentWorld(options: {
  readonly host: string;
  readonly stateFolder: string;
  readonly bpffs: string;
  readonly log: Log;
}): Promise<AgentWorld> {
  const { host, stateFolder, bpffs, log } = options;
  const machine = await LinuxMachine.open();
  try {
    const kernel = await machine.kernel({ bpffs });
    const world = nodeWorld({
      host,
      stateFolder,
      volatileFiles: [NAMESPACES_FILE],
      kernel,
      insecure: true,
      log: (line) => log.info(line),
      store: (clock, scope) => new MemoryStore({ clock, scope }),
      files: [file_netloom_admin_v1_admin],
    });
    return {
      world,
      processes: linuxProcesses(),
      prober: linuxProber(machine),
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
