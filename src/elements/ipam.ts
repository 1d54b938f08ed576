export interface AddressOptions {
  /** One pair of addresses from each group; of a group the first prefix with room: `[["10.0.0.0/24"], ["fd00::/64"]]`. */
  readonly pools: readonly (readonly string[])[];
  /** `polite` keeps addresses that a client brings from elsewhere, `strict` takes them away. Default: `polite`. */
  readonly policy?: "polite" | "strict";
  /** How long addresses of a lost client wait for it. Default: 60,000 ms. */
  readonly reserveMs?: number;
}
