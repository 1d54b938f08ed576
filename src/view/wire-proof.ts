/**
 * Proves that packets go through a wire and not past it: they leave by the wire's own device, the largest ones pass, and both
 * ends have counted them.
 */
import type { Netns } from "../kernel/kernel.ts";
import type { Prober } from "../kernel/prober.ts";
import type { Side } from "../mechanisms/side.ts";
import type { PingView, Received } from "./wire-view.ts";

/** Time to wait for the refusal of a too large packet. A refusal comes at once. */
const REFUSAL_MS = 100;

/** The end of a wire from which packets are sent. */
export interface ProofEnd {
  readonly netns: Netns;
  /** The wire's device in the namespace. */
  readonly device: string;
  readonly mtuBytes: number;
  /** Time to wait for an answer. */
  readonly timeoutMs: number;
  /** Whether the end is a machine behind a port. Netloom does not set its MTU, so it does not refuse larger packets. */
  readonly isPort?: boolean;
}

/** Packets that arrived at each side. A side without a counter is absent. */
export type Counted = Readonly<Partial<Record<Side, Received>>>;

/** One proof of one wire: call `ping` any number of times, then `prove` for each address, then `verdict`. */
export class WireProof {
  readonly #prober: Prober;
  readonly #end: ProofEnd;
  readonly #problems: string[] = [];
  readonly #sent = new Map<string, number>();

  constructor(prober: Prober, end: ProofEnd) {
    this.#prober = prober;
    this.#end = end;
  }

  /** Sends one small packet. NOT_FOUND if the namespace is missing. */
  async ping(address: string): Promise<PingView> {
    const { netns, device, timeoutMs } = this.#end;
    const { rttMs, reason } = await this.#prober.probe(netns, address, { device, timeoutMs });
    this.#count(address);
    return { address, ...(rttMs === undefined ? { reason: reason ?? "" } : { rttMs }) };
  }

  /** Checks the device by which the workload's own packets to `address` leave, and the largest packet that passes. */
  async prove(address: string): Promise<void> {
    const { netns, device, mtuBytes, timeoutMs } = this.#end;
    const leavesBy = await this.#prober.deviceTowards(netns, address);
    if (leavesBy === undefined) this.#problems.push(`no route of the workload leads to ${address}`);
    else if (leavesBy !== device)
      this.#problems.push(`the workload's packets to ${address} leave by ${leavesBy}: ${device} is shadowed`);
    const largest = await this.#prober.probe(netns, address, { device, timeoutMs, packetBytes: mtuBytes });
    this.#count(address);
    if (largest.rttMs === undefined)
      this.#problems.push(
        `a packet of ${mtuBytes} bytes, the wire's MTU, to ${address} is not answered (${largest.reason ?? "timeout"})`,
      );
    if (this.#end.isPort === true) return;
    const larger = await this.#prober.probe(netns, address, {
      device,
      timeoutMs: REFUSAL_MS,
      packetBytes: mtuBytes + 1,
    });
    if (larger.reason === "EMSGSIZE") return;
    this.#count(address);
    this.#problems.push(
      `a packet of ${mtuBytes + 1} bytes to ${address} is not refused, and the wire's MTU is ${mtuBytes}`,
    );
  }

  /**
   * The problems, as sentences; empty if all is well. Between `before` and `after`, all requests must have arrived at one end,
   * and as many answers at the other.
   */
  verdict(
    before: Counted,
    after: Counted,
    names: Readonly<Record<Side, string>> = { client: "the client's end", endpoint: "the endpoint's end" },
  ): string[] {
    return [...this.#problems, ...this.uncounted(before, after, { names })];
  }

  /** Checks the counters of a later wire of a chain, which only packets to the addresses `to` pass. Default: all packets. */
  uncounted(
    before: Counted,
    after: Counted,
    { names, to }: { readonly names: Readonly<Record<Side, string>>; readonly to?: readonly string[] },
  ): string[] {
    const sent = (to ?? [...this.#sent.keys()]).reduce((sum, each) => sum + (this.#sent.get(each) ?? 0), 0);
    return (["endpoint", "client"] as const).flatMap((side) => {
      const [earlier, later] = [before[side], after[side]];
      if (!earlier || !later) return [];
      const counted = Math.max(0, later.packets - earlier.packets);
      return counted >= sent
        ? []
        : [`${names[side]} has counted ${counted} packets, and ${sent} were expected`];
    });
  }

  #count(address: string): void {
    this.#sent.set(address, (this.#sent.get(address) ?? 0) + 1);
  }
}
