/** Kinds as people write them: in any case, in the plural, short. */

export const KINDS: Readonly<Record<string, readonly string[]>> = {
  NetworkService: ["networkservice", "networkservices", "netsvc", "ns"],
  Connect: ["connect", "connects"],
  Expose: ["expose", "exposes"],
};

/** `Connect` for `connects`; `undefined` for what is no kind. */
export function kindOf(text: string): string | undefined {
  const lower = text.toLowerCase();
  return Object.entries(KINDS).find(([, names]) => names.includes(lower))?.[0];
}
