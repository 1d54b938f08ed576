/** Sends packets through the wires of a lab, from their clients to their endpoints. */
import type { LinuxMachine } from "../../linux/machine/machine.ts";
import { linuxProber } from "../../linux/icmp/prober.ts";
import { NetloomError } from "../../errors/errors.ts";
import { netnsOf } from "../topology/topology.ts";
import { type Counted, WireProof } from "../../view/wire-proof.ts";
import { endName, type PingView, type WireView } from "../../view/wire-view.ts";

const TIMEOUT_MS = 1000;

interface Pinged {
  readonly before: WireView;
  readonly proof: WireProof;
  readonly ping: readonly PingView[];
}

/**
 * Sends packets through each wire, then returns the wires from `look`, with the answers. Problems of the packets' path are
 * added to the differences. A wire that is not proven is not up.
 */
export async function pingWires(
  machine: LinuxMachine,
  lab: string,
  wires: readonly WireView[],
  look: () => Promise<readonly WireView[]>,
): Promise<readonly WireView[]> {
  const all = await Promise.all(wires.map((wire) => pingWire(machine, lab, wire)));
  const byId = new Map(all.flatMap((each) => (each ? [[each.before.id, each]] : [])));
  return (await look()).map((wire) => {
    const pinged = byId.get(wire.id);
    return pinged ? withPing(wire, pinged) : wire;
  });
}

/** The proof of a wire from its client's end. `undefined` if the client's device is not known. */
export function proofOf(
  machine: LinuxMachine,
  lab: string,
  { interfaces: { client }, mtuBytes }: WireView,
): WireProof | undefined {
  if (!client) return undefined;
  // Use the workload's name, not the agent's inode: this process may know the inode from an earlier namespace.
  const netns = netnsOf(lab, `${client.host}/${client.workload}`);
  const end = {
    netns,
    device: client.interface,
    mtuBytes,
    timeoutMs: TIMEOUT_MS,
    isPort: client.isPort ?? false,
  };
  return new WireProof(linuxProber(machine), end);
}

/** Sends a small packet and the largest to each address of the endpoint. */
async function pingWire(machine: LinuxMachine, lab: string, before: WireView): Promise<Pinged | undefined> {
  const proof = proofOf(machine, lab, before);
  if (!proof) return undefined;
  const ping = await Promise.all(
    before.addresses.endpoint.map(async (address): Promise<PingView> => {
      try {
        const answer = await proof.ping(address);
        await proof.prove(address);
        return answer;
      } catch (error) {
        // A missing namespace or device counts as no answer; the differences name it.
        if (!(error instanceof NetloomError)) throw error;
        return { address, reason: error.message };
      }
    }),
  );
  return { before, proof, ping };
}

function withPing(after: WireView, { before, proof, ping }: Pinged): WireView {
  const names = { client: endName(after, "client"), endpoint: endName(after, "endpoint") };
  const problems = proof.verdict(countedBy(before), countedBy(after), names);
  return {
    ...after,
    ping,
    state: problems.length > 0 ? "down" : after.state,
    differences: [...after.differences, ...problems],
  };
}

/** The packets that the ends have received. */
export function countedBy({ interfaces: { client, endpoint } }: WireView): Counted {
  return {
    ...(client?.received && { client: client.received }),
    ...(endpoint?.received && { endpoint: endpoint.received }),
  };
}
