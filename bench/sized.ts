/** Sizes of a bench: full for real figures, or just enough to see that every row appears (BENCH_SHORT=1). */
export const isShort: boolean = process.env["BENCH_SHORT"] === "1";

export function sized(full: number, short: number): number {
  return isShort ? short : full;
}
