/** Loads maps and programs of an object into the kernel. */
import { NetloomError } from "../../errors/errors.ts";
import {
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SYSCALL,
  BPF_TCX_INGRESS,
  createMap,
  loadBtf,
  loadProgram,
} from "./bpf.ts";
import { close } from "../libc/syscall.ts";
import type { MapSpec, ObjectSpec, ProgramSpec } from "./object.ts";

/** `src_reg` of a load instruction whose immediate is the descriptor of a map. */
const BPF_PSEUDO_MAP_FD = 1;

/** The map `name` of the object. NOT_FOUND if there is none. */
function mapSpec(object: ObjectSpec, name: string): MapSpec {
  const spec = object.maps.find((map) => map.name === name);
  if (spec === undefined) {
    throw new NetloomError("NOT_FOUND", `load BPF object: it has no map ${name}`);
  }
  return spec;
}

/** Creates a map of the object, with BTF types if the kernel accepts them. */
export function loadMap(object: ObjectSpec, name: string): number {
  const btf = loadBtf(object.btf);
  try {
    return createMap(mapSpec(object, name), btf);
  } finally {
    if (btf !== undefined) {
      close(btf);
    }
  }
}

/** Loads a program of the object with its references bound to `maps` (descriptors by name). */
export function loadProgramOf(object: ObjectSpec, name: string, maps: ReadonlyMap<string, number>): number {
  const spec = object.programs.find((program) => program.name === name);
  if (spec === undefined) {
    throw new NetloomError("NOT_FOUND", `load BPF object: it has no program ${name}`);
  }
  const instructions = bindMaps(spec, maps);
  if (spec.section === "syscall") {
    return loadProgram({ name, type: BPF_PROG_TYPE_SYSCALL, license: object.license, instructions });
  }
  if (spec.section.startsWith("tcx/")) {
    return loadProgram({
      name,
      type: BPF_PROG_TYPE_SCHED_CLS,
      expectedAttachType: BPF_TCX_INGRESS,
      license: object.license,
      instructions,
    });
  }
  throw new NetloomError(
    "UNIMPLEMENTED",
    `load program ${name}: section ${spec.section} names no kind of program that is known`,
  );
}

function bindMaps(spec: ProgramSpec, maps: ReadonlyMap<string, number>): Buffer {
  const instructions = Buffer.from(spec.instructions);
  for (const { instruction, map } of spec.references) {
    const fd = maps.get(map);
    if (fd === undefined) {
      throw new NetloomError("NOT_FOUND", `load program ${spec.name}: map ${map} is not there`);
    }
    const at = 8 * instruction;
    instructions[at + 1] = ((instructions[at + 1] ?? 0) & 0x0f) | (BPF_PSEUDO_MAP_FD << 4);
    instructions.writeUInt32LE(fd, at + 4);
  }
  return instructions;
}
