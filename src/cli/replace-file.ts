import { randomUUID } from "node:crypto";
import { chmod, chown, realpath, rename, rm, stat, writeFile } from "node:fs/promises";

/**
 * Replaces the content of a file atomically: it holds the old text or the new one, never a part. Owner, mode and a link
 * to the file stay.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const file = await realpath(path);
  const { uid, gid, mode } = await stat(file);
  const beside = `${file}.${randomUUID().slice(0, 8)}`;
  try {
    await writeFile(beside, text, { mode: 0o600, flag: "wx", flush: true });
    await chown(beside, uid, gid);
    await chmod(beside, mode & 0o7777);
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
