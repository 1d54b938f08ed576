/** A store in a file. Belongs to the edge of the deterministic zone, because it creates the folder of the file. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NetloomError } from "../../errors/errors.ts";
import type { StoreKind } from "../store-kind.ts";

export const sqliteKind: Readonly<StoreKind> = {
  scheme: "sqlite",
  spelling: "sqlite:PATH",
  rest: ".+",
  isShared: true,
  inFolder: (folder) => `sqlite:${join(folder, "registry.db")}`,
  open: async (file, { world, onProblem }) => {
    await makeFolder(dirname(file));
    const [{ openDatabase }, { SqliteStore }] = await Promise.all([
      import("./thread.ts"),
      import("./sqlite-store.ts"),
    ]);
    let store: InstanceType<typeof SqliteStore> | undefined;
    const database = await openDatabase({
      file,
      nowMs: world.clock.monotonicMs(),
      onTouched: () => store?.look(),
      onProblem,
    });
    store = new SqliteStore({ database, ...world });
    return { store, close: () => database.close() };
  },
};

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new NetloomError("FAILED_PRECONDITION", `make folder ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
