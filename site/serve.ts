/** The built site on a port of this machine: `node site/serve.ts` shows it, and the test of the site reads it. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("dist", import.meta.url));

const TYPES: ReadonlyMap<string, string> = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript"],
  [".css", "text/css"],
  [".svg", "image/svg+xml"],
  [".json", "application/json"],
]);

/** Resolves when it listens on 127.0.0.1. Port 0 is any free one. */
export async function serve(port: number): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    const name = join(BUILT, decodeURIComponent(pathname), pathname.endsWith("/") ? "index.html" : "");
    readFile(name).then(
      (bytes) => {
        response.setHeader("content-type", TYPES.get(extname(name)) ?? "application/octet-stream");
        response.end(bytes);
      },
      () => {
        response.statusCode = 404;
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the site listens nowhere");
  return { server, origin: `http://127.0.0.1:${address.port}` };
}

if (import.meta.main) console.log((await serve(Number(process.argv[2] ?? 8080))).origin);
