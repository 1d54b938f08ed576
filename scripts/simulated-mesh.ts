/** Puts simulated meshes together: the simulator, its kernel, and the store in memory. */
import { MemoryStore } from "../src/store/memory/memory-store.ts";
import { type MeshOptions, type MeshResult, runMesh } from "../fixtures/sim/mesh.ts";
import { drain } from "./simulated-toy.ts";

export function simulateMesh(
  options: Pick<MeshOptions, "seed" | "faults" | "agents" | "plant" | "keepHistory">,
): Promise<MeshResult> {
  return runMesh({
    ...options,
    drain,
    store: (clock, scope) => new MemoryStore({ clock, scope }),
  });
}
