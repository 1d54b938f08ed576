/**
 * `netloom migrate` and `netloom schema`, run as a user would. The conversion itself: src/documents/migrate.test.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { netloom, netloomOfNobody, netloomPath } from "../spawn-netloom.ts";

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : "needs root";

const FORMER = "# a shop\nkind: NetworkService\nname: shop # it\n";
const LATER =
  "# a shop\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata:\n  name: shop # it\n";
const WITH_DNS =
  "kind: Expose\nname: db\nworkload: { pid: 1 }\nservices: [db]\ndns: [{ servers: [10.0.0.1] }]\n";

interface Folder {
  readonly path: string;
  /** Writes a file, and returns its path. */
  readonly file: (name: string, text: string | Buffer) => string;
}

function folder(t: TestContext): Folder {
  const path = mkdtempSync(join(tmpdir(), "netloom-migrate-"));
  t.after(() => rmSync(path, { recursive: true }));
  return {
    path,
    file: (name, text) => {
      writeFileSync(join(path, name), text);
      return join(path, name);
    },
  };
}

test("a file is rewritten in place; a second run finds no change and does not touch it", async (t) => {
  const { path, file } = folder(t);
  const shop = file("shop.yaml", FORMER);
  const lab = file(
    "lab.yaml",
    "name: lab\nhosts: { a: }\nagents: true\nattachments:\n  - { kind: NetworkService, name: db }\n",
  );
  assert.deepEqual(await netloom(["migrate", shop, lab]), {
    code: 0,
    stdout: `~ ${shop}: converted 1 document\n~ ${lab}: converted 2 documents\n`,
    stderr: "",
  });
  assert.equal(readFileSync(shop, "utf8"), LATER);
  const { ino } = statSync(shop);
  assert.deepEqual(await netloom(["migrate", shop]), {
    code: 0,
    stdout: `= ${shop} needs no change\n`,
    stderr: "",
  });
  assert.deepEqual([statSync(shop).ino, readFileSync(shop, "utf8")], [ino, LATER]);
  assert.deepEqual(readdirSync(path).sort(), ["lab.yaml", "shop.yaml"]);
  assert.match((await netloom(["lab", "validate", lab])).stdout, /no mistakes\n$/);
});

test("a rewritten file keeps its mode, its owner, and a link to it", async (t) => {
  const { path, file } = folder(t);
  const shop = file("shop.yaml", FORMER);
  chmodSync(shop, 0o640);
  if (isRoot) chownSync(shop, 4711, 4712);
  const link = join(path, "link.yaml");
  symlinkSync("shop.yaml", link);
  assert.equal((await netloom(["migrate", link])).code, 0);
  assert.ok(lstatSync(link).isSymbolicLink());
  const { mode, uid, gid } = statSync(shop);
  assert.equal(mode & 0o7777, 0o640);
  if (isRoot) assert.deepEqual([uid, gid], [4711, 4712]);
  assert.equal(readFileSync(shop, "utf8"), LATER);
});

test("a wrong file is refused with every mistake and left unchanged; the others are converted", async (t) => {
  const { path, file } = folder(t);
  const wrong = file("wrong.yaml", `${FORMER}---\na: [\n`);
  const lab = file("lab.yaml", "name: lab\nhosts: { a: }\nattachments: [{ kind: Conect, name: db }]\n");
  const shop = file("shop.yaml", FORMER);
  const { code, stdout, stderr } = await netloom(["migrate", wrong, lab, shop]);
  assert.deepEqual([code, stdout], [1, `~ ${shop}: converted 1 document\n`]);
  const [first, second, hint, more] = stderr.split("\n");
  assert.match(first ?? "", /^error: \S+wrong\.yaml:6:1: not YAML: /);
  assert.match(
    second ?? "",
    /^error: \S+lab\.yaml:3:15: attachments\[0\]: this is not a document of release 0\.1\.0/,
  );
  assert.match(
    `${hint}\n${more}`,
    /^hint: .*a file with a mistake was not changed\nmore: netloom explain NL-102$/,
  );
  assert.equal(readFileSync(wrong, "utf8"), `${FORMER}---\na: [\n`);
  assert.equal(readFileSync(shop, "utf8"), LATER);
  assert.deepEqual(readdirSync(path).sort(), ["lab.yaml", "shop.yaml", "wrong.yaml"]);
});

test("a missing file, or one that is not UTF-8, changes nothing", async (t) => {
  const { file } = folder(t);
  const shop = file("shop.yaml", FORMER);
  const missing = await netloom(["migrate", shop, "/nowhere.yaml"]);
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /^error: read \/nowhere\.yaml: there is no such file\n[^]*NL-101\n$/);
  const latin = file("latin.yaml", Buffer.from("# ü\nkind: NetworkService\nname: shop\n", "latin1"));
  const { code, stderr } = await netloom(["migrate", shop, latin]);
  assert.equal(code, 1);
  assert.match(stderr, /latin\.yaml:1:3: the byte 0xfc .* is not UTF-8/);
  assert.equal(readFileSync(shop, "utf8"), FORMER);
});

test("a name server is dropped, with a note", async (t) => {
  const { file } = folder(t);
  const db = file("db.yaml", WITH_DNS);
  const { stdout } = await netloom(["migrate", db]);
  assert.match(stdout, /^~ .*db\.yaml: converted 1 document\n {2}note: dns of db is left out: .*\n$/);
  assert.doesNotMatch(readFileSync(db, "utf8"), /dns/);
});

test("--dry-run prints the new text, with notes beside it, and writes nothing", async (t) => {
  const { file } = folder(t);
  const shop = file("shop.yaml", FORMER);
  assert.deepEqual(await netloom(["migrate", "--dry-run", shop]), { code: 0, stdout: LATER, stderr: "" });
  assert.equal(readFileSync(shop, "utf8"), FORMER);
  const db = file("db.yaml", WITH_DNS);
  const noted = await netloom(["migrate", "--dry-run", db]);
  assert.equal(noted.code, 0);
  assert.match(noted.stderr, /^note: dns of db is left out: .*\n$/);
  assert.match(noted.stdout, /^kind: NetworkServiceProvider$/m);
  const wrong = file("wrong.yaml", "a: [\n");
  assert.equal((await netloom(["migrate", "--dry-run", wrong])).code, 1);
});

test("migrate converts the standard input to the standard output, byte for byte", () => {
  const text = FORMER.replace("# a shop", "# a shop \u200D\u00FC").replaceAll("\n", "\r\n");
  const { status, stdout } = spawnSync(netloomPath, ["migrate", "-"], { input: text, encoding: "utf8" });
  assert.equal(status, 0);
  assert.equal(stdout, LATER.replace("# a shop", "# a shop \u200D\u00FC").replaceAll("\n", "\r\n"));
});

test("a file in a folder without write permission stays unchanged, with the reason", { skip }, async (t) => {
  const { path, file } = folder(t);
  const shop = file("shop.yaml", FORMER);
  chmodSync(path, 0o755);
  chmodSync(shop, 0o666);
  const { code, stderr } = await netloomOfNobody(["migrate", shop]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: open \S+shop\.yaml\.[0-9a-f]{8}: EACCES: permission denied\n[^]*NL-105\n$/);
  assert.equal(readFileSync(shop, "utf8"), FORMER);
  assert.deepEqual(readdirSync(path), ["shop.yaml"]);
});

test("migrate without a file is a wrong command line", async () => {
  const { code, stderr } = await netloom(["migrate"]);
  assert.equal(code, 2);
  assert.match(stderr, /missing required argument 'file'/);
});

test("netloom schema prints the published schema", async () => {
  const published = readFileSync(
    new URL("../../../docs/schema/netloom.schema.json", import.meta.url),
    "utf8",
  );
  assert.deepEqual(await netloom(["schema"]), { code: 0, stdout: published, stderr: "" });
});
