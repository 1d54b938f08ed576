/** Packets through a wire of a lab, from its client to its endpoint. */
import type { Pinged } from "./pinged.ts";
import { countProblems, proveWay } from "../forwarder/prove-wire.ts";
import type { LinuxMachine } from "../linux/machine.ts";
import { linuxProber } from "../linux/prober.ts";
import { NetloomError } from "../errors/errors.ts";
import type { WireStatus } from "./wire-status.ts";
import { netnsOf } from "./topology.ts";

const TIMEOUT_MS = 1000;

/** What came of the packets that were sent through a wire. */
export interface PingedWire {
  readonly ping: readonly Pinged[];
  /** What is wrong with the way that they took. */
  readonly problems: readonly string[];
  /** Packets that have to have come to the endpoint, and as many to the client. */
  readonly sent: number;
}

/** Two packets to each address of the endpoint: a small one, and the largest. */
export async function pingWire(machine: LinuxMachine, lab: string, wire: WireStatus): Promise<PingedWire> {
  const [host = "", workload = "", device = ""] = wire.client.split("/");
  const netns = netnsOf(lab, `${host}/${workload}`);
  const prober = linuxProber(machine);
  const each = await Promise.all(
    wire.addresses.endpoint.map(async (address): Promise<PingedWire> => {
      const options = { device, timeoutMs: TIMEOUT_MS };
      try {
        const { rttMs } = await prober.probe(netns, address, options);
        const proof = await proveWay(prober, { netns, address, mtuBytes: wire.mtuBytes, ...options });
        return {
          ping: [{ address, rttMs }],
          problems: proof.problems,
          sent: proof.sent + 1,
        };
      } catch (error) {
        // No namespace or no device is no answer; `differences` says which.
        if (!(error instanceof NetloomError)) throw error;
        return { ping: [{ address, rttMs: undefined }], problems: [], sent: 0 };
      }
    }),
  );
  return {
    ping: each.flatMap(({ ping }) => ping),
    problems: each.flatMap(({ problems }) => problems),
    sent: each.reduce((sum, { sent }) => sum + sent, 0),
  };
}

/** `after` with what the packets have shown; `before` has the counters as they were. A wire that is not proven is not up. */
export function withPing(before: WireStatus, after: WireStatus, pinged: PingedWire): WireStatus {
  const uncounted = countProblems(
    (["endpoint", "client"] as const).map((side) => ({
      name: after[side],
      before: before.received[side],
      after: after.received[side],
    })),
    pinged.sent,
  );
  const problems = [...pinged.problems, ...uncounted];
  return {
    ...after,
    ping: pinged.ping,
    state: problems.length > 0 ? "down" : after.state,
    differences: [...after.differences, ...problems],
  };
}
