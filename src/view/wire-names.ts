import { placeName, type WireView } from "./wire-view.ts";

/**
 * The names by which commands find a wire: its id, the client's name in the path, and `workload/device` of either end, with
 * or without the host. The longest one comes last.
 */
export function wireNames({ wire, id, interfaces: { client, endpoint } }: WireView): string[] {
  const ends = [client, endpoint].flatMap((end) => {
    if (!end) return [];
    const short = placeName(end);
    return [short, `${end.host}/${short}`];
  });
  return [id, wire, ...ends];
}
