/**
 * Whether packets go through a wire, and not through something beside it: they leave by the wire's own device, the largest
 * ones pass, and both ends have counted them.
 */
import type { Netns } from "../kernel/kernel.ts";
import type { Prober } from "../kernel/prober.ts";
import type { Side } from "../mechanisms/side.ts";
import type { PingView, Received } from "./wire-view.ts";

/** A packet that is too large is refused at once, where it is refused. */
const REFUSAL_MS = 100;

/** The end of a wire that packets are sent from. */
export interface ProofEnd {
  readonly netns: Netns;
  /** The wire's device there. */
  readonly device: string;
  readonly mtuBytes: number;
  /** So long an answer is waited for. */
  readonly timeoutMs: number;
  /** It is the machine behind a port: nobody of ours sets the MTU of its device, so that nothing there refuses larger packets. */
  readonly isPort?: boolean;
}

/** What has come to either side. One that counts nowhere is absent. */
export type Counted = Readonly<Partial<Record<Side, Received>>>;

/** One proof of one wire: any number of packets, then `prove` for each address, then the verdict. */
export class WireProof {
  readonly #prober: Prober;
  readonly #end: ProofEnd;
  readonly #problems: string[] = [];
  readonly #sent = new Map<string, number>();

  constructor(prober: Prober, end: ProofEnd) {
    this.#prober = prober;
    this.#end = end;
  }

  /** One small packet. NOT_FOUND without the namespace. */
  async ping(address: string): Promise<PingView> {
    const { netns, device, timeoutMs } = this.#end;
    const { rttMs, reason } = await this.#prober.probe(netns, address, { device, timeoutMs });
    this.#count(address);
    return { address, ...(rttMs === undefined ? { reason: reason ?? "" } : { rttMs }) };
  }

  /** Which way the workload's own packets to `address` take, and how large they may be. */
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
   * What is wrong, as sentences; empty if all is well. Requests have to have come to one end, and as many answers to the other,
   * between `before` and `after`.
   */
  verdict(
    before: Counted,
    after: Counted,
    names: Readonly<Record<Side, string>> = { client: "the client's end", endpoint: "the endpoint's end" },
  ): string[] {
    return [...this.#problems, ...this.uncounted(before, after, { names })];
  }

  /** The same of a wire that only packets to some addresses pass: one that lies further on. Default: all that were sent. */
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
        : [`${names[side]} has counted ${counted} packets, and ${sent} have to come to it`];
    });
  }

  #count(address: string): void {
    this.#sent.set(address, (this.#sent.get(address) ?? 0) + 1);
  }
}
