/** The answer from one address of the endpoint. No time: none that came in by the wire's own device. */
export interface Pinged {
  readonly address: string;
  readonly rttMs: number | undefined;
}
