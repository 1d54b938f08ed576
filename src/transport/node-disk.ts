/** The disk of a World: files in one folder of this machine. */
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { NetloomError } from "../errors/errors.ts";
import type { Disk } from "../world/disk.ts";

/**
 * A disk whose files are in `folder`, for this user only. The folder is made at the first write. `volatile` files hold
 * facts that are valid until the machine restarts: they outlive the process, as all writes do, and `sync` does nothing.
 */
export function nodeDisk(
  folder: string,
  { volatile = [] }: { readonly volatile?: readonly string[] } = {},
): Disk {
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(verb: string, name: string, work: (path: string) => Promise<T>): Promise<T> => {
    const result = tail.then(async () => {
      const path = join(folder, checkName(name));
      try {
        return await work(path);
      } catch (error) {
        throw refusal(`${verb} ${path}`, error);
      }
    });
    tail = result.catch(() => undefined);
    return result;
  };
  return {
    read: (name) => inTurn("read", name, readIfThere),
    append: (name, data) => {
      const copy = data.slice();
      return inTurn("append to", name, (path) => write(folder, path, "a", copy));
    },
    replace: (name, data) => {
      const copy = data.slice();
      return inTurn("replace", name, async (path) => {
        const fresh = `${path}.new`;
        try {
          await write(folder, fresh, "w", copy);
          // The content must be on the disk before the name leads to it.
          await syncPath(fresh);
          await rename(fresh, path);
        } catch (error) {
          await rm(fresh, { force: true });
          throw error;
        }
      });
    },
    sync: (name) =>
      inTurn("sync", name, async (path) => {
        if (volatile.includes(name)) return;
        await syncPath(path);
        await syncPath(folder);
      }),
  };
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function write(folder: string, path: string, flag: "a" | "w", data: Uint8Array): Promise<void> {
  const file = await openMakingFolder(folder, path, flag);
  try {
    await file.writeFile(data);
  } finally {
    await file.close();
  }
}

/** Opens a file, and makes the folder if it is missing, as at the first write. */
async function openMakingFolder(folder: string, path: string, flag: "a" | "w"): Promise<FileHandle> {
  try {
    return await open(path, flag, 0o600);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return await open(path, flag, 0o600);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]*$/i.test(name) && !name.endsWith(".new")) return name;
  throw new TypeError(`${JSON.stringify(name)} is not a name of a file on a World's disk`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function refusal(attempt: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === "") return error;
  const { errno } = error as NodeJS.ErrnoException;
  const why = errno === undefined ? (error as Error).message : getSystemErrorMessage(errno);
  const message = `${attempt}: ${code}: ${why}`;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new NetloomError("RESOURCE_EXHAUSTED", message, { cause: error, hint: "free space there: df -h" });
  }
  return new NetloomError("INTERNAL", message, { cause: error });
}
