export interface TunnelOptions {
  /** Addresses of this host's VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  /** UDP port. Default: 4789. */
  readonly port?: number;
  /** MTU of the network between the hosts. */
  readonly underlayMtuBytes: number;
  /** One for all forwarders of a host. */
  readonly vnis: VniPool;
  /** The VNI that an earlier process used for the wire, so that a restart keeps the tunnel. */
  readonly recallVni?: (connectionId: string) => number | undefined;
}
export declare class VniPool {}
