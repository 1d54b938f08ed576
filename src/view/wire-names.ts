import { placeName, type WireView } from "./wire-view.ts";

/** Whether a name, the client's device, or the first 8 and more characters of an id is that of the wire. */
export function isWireNamed(wire: WireView, name: string): boolean {
  return (
    wireNames(wire).includes(name) ||
    wire.interfaces.client?.interface === name ||
    (name.length >= 8 && wire.id.startsWith(name))
  );
}

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
