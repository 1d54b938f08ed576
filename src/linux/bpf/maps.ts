/**
 * The maps of the data path, each pinned under its name. They hold the state of the wires: another build of the programs
 * adopts them unchanged, or refuses.
 */
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { KernelError } from "../../kernel/kernel.ts";
import { getPinned, mapOfProgram, mapShape, pinObject } from "./bpf.ts";
import { close } from "../libc/syscall.ts";
import { loadMap } from "./loader.ts";
import type { MapSpec, ObjectSpec } from "./object.ts";

type MapName =
  | "wires"
  | "sources"
  | "grants"
  | "tunnels"
  | "devices"
  | "slow"
  | "arrivals4"
  | "arrivals6"
  | "drops"
  | "strangers"
  | "offences";

export class DatapathMaps {
  readonly #directory: string;
  /** Descriptors by name. */
  readonly fds: ReadonlyMap<string, number>;

  private constructor(directory: string, fds: ReadonlyMap<string, number>) {
    this.#directory = directory;
    this.fds = fds;
  }

  /**
   * Opens the pinned maps, or else those of the program with the ID `running`, or else creates new ones.
   * FAILED_PRECONDITION if the layout of a map differs from that in `object`.
   */
  static open(directory: string, object: ObjectSpec, running?: number): DatapathMaps {
    const fds = new Map<string, number>();
    try {
      for (const spec of object.maps) {
        const { name } = spec;
        const found = (): number | undefined =>
          running === undefined ? undefined : mapOfProgram(running, name);
        const path = join(directory, name);
        const fd = pinned(path, () => found() ?? loadMap(object, name));
        fds.set(name, fd);
        demandLayout(fd, spec, path);
      }
      return new DatapathMaps(directory, fds);
    } catch (error) {
      for (const fd of fds.values()) close(fd);
      throw error;
    }
  }

  of(name: MapName): number {
    const fd = this.fds.get(name);
    if (fd === undefined) throw new TypeError(`there is no map ${name}`);
    return fd;
  }

  close(): void {
    for (const fd of this.fds.values()) close(fd);
  }

  unpin(): void {
    for (const name of this.fds.keys()) unlinkSync(join(this.#directory, name));
  }
}

/** Opens the pinned object, or loads a new one and pins it. */
export function pinned(path: string, load: () => number): number {
  const adopted = getPinned(path);
  if (adopted !== undefined) {
    return adopted;
  }
  const fd = load();
  try {
    pinObject(fd, path);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

function demandLayout(map: number, wanted: MapSpec, path: string): void {
  const shape = mapShape(map);
  if (
    shape.type === wanted.type &&
    shape.keyBytes === wanted.keyBytes &&
    shape.valueBytes === wanted.valueBytes
  )
    return;
  const words = ({ type, keyBytes, valueBytes }: Pick<MapSpec, "type" | "keyBytes" | "valueBytes">): string =>
    `type ${type}, keys of ${keyBytes} and values of ${valueBytes} bytes`;
  throw new KernelError(
    "FAILED_PRECONDITION",
    `adopt ${path}: it has ${words(shape)}; this version needs ${words(wanted)}`,
    { hint: "close the wires with the version that made them, or end its agent and remove the directory" },
  );
}
