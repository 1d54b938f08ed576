import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Output } from "../output.ts";
import { LiveScreen, printLines } from "./live-screen.ts";
import { isUp, meshView } from "./mesh-view.ts";
import { largeMesh, NOW_MS } from "./status-fixture.ts";
import { statusScreen } from "./status-screen.ts";

/** Written anew with UPDATE_GOLDEN=1; look at what has changed. */
const golden = new URL("./status-screen.golden.txt", import.meta.url);

test("8 hosts and 50 wires are one screen as it was drawn before", () => {
  const drawn = statusScreen(meshView(largeMesh()), NOW_MS)
    .map(({ text }) => `${text}\n`)
    .join("");
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, drawn);
  assert.equal(drawn, readFileSync(golden, "utf8"));
});

test("the screen fits into 120 columns, reasons and hosts aside, and has a line for each wire", () => {
  const lines = statusScreen(meshView(largeMesh()), NOW_MS).map(({ text }) => text);
  const wires = lines.filter((text) => /→/.test(text) && /nsm-1/.test(text));
  assert.equal(wires.length, 50);
  for (const line of wires) assert.ok(line.length <= 120, `${line.length}: ${line}`);
});

test("what is not up comes first, worst first, each with its reason and what to do", () => {
  const texts = statusScreen(meshView(largeMesh()), NOW_MS).map(({ text }) => text);
  const rows = texts.slice(texts.findIndex((text) => text.includes("WIRE")) + 1);
  const states = rows.flatMap((row) => /(failed|down|healing|waiting|up) +\d+[smhd]$/.exec(row)?.[1] ?? []);
  assert.deepEqual([...new Set(states)], ["failed", "down", "healing", "waiting", "up"]);
  const failed = rows.findIndex((row) => row.startsWith("! beta/api (api-bank)"));
  assert.equal(failed, 0);
  assert.match(
    rows[1] ?? "",
    /^ {4}network service bank is not found \[NL-302\] \(9 attempts, tried again in 4 s\)$/,
  );
  assert.match(rows[2] ?? "", /^ {4}hint: `netloom get services`/);
});

test("a wire that both of its hosts tell of is there once, with both devices", () => {
  const { wires } = meshView(largeMesh());
  assert.equal(wires.length, 50);
  const remote = wires.find(({ wire }) => wire === "beta/web-1/nsm-1");
  assert.deepEqual(remote?.interfaces.client?.interface, "nsm-1");
  assert.deepEqual(remote?.interfaces.endpoint?.interface, "db-1");
});

test("only a mesh in which everything is up counts as up", () => {
  const [alpha] = largeMesh();
  assert.ok(alpha && isUp(meshView([{ ...alpha, wires: [] }])));
  assert.ok(!isUp(meshView(largeMesh())));
});

test("a host without a wish is told how to make one", () => {
  const [alpha] = largeMesh();
  const lines = alpha ? statusScreen(meshView([{ ...alpha, wires: [], attachments: [] }]), NOW_MS) : [];
  assert.match(lines.at(-1)?.text ?? "", /nothing is asked for here: netloom connect/);
});

test("names of other hosts bring no escape sequence to the terminal", () => {
  const [alpha] = largeMesh();
  const wires = alpha?.wires.slice(0, 1).map((wire) => ({ ...wire, endpoint: "db\u001B[2J" })) ?? [];
  const lines = alpha ? statusScreen(meshView([{ ...alpha, wires, attachments: [] }]), NOW_MS) : [];
  assert.ok(lines.some(({ text }) => text.includes("db\\u{1b}[2J")));
  assert.ok(lines.every(({ text }) => !text.includes("\u001B")));
});

class Terminal {
  readonly isTTY = true;
  readonly columns = 60;
  readonly rows = 10;
  text = "";
  write(text: string): void {
    this.text += text;
  }
}

test("on a terminal a screen replaces the one before, and is cut to the terminal's size", () => {
  const terminal = new Terminal();
  const screen = new LiveScreen(new Output(terminal, { NO_COLOR: "1" }));
  const lines = statusScreen(meshView(largeMesh()), NOW_MS);
  screen.draw(lines);
  screen.draw(lines);
  const [, first = "", second = ""] = terminal.text.split("\u001B[H\u001B[J");
  assert.equal(first, second);
  const shown = second.trimEnd().split("\n");
  assert.ok(shown.length < terminal.rows && shown.every((line) => line.length <= terminal.columns));
  assert.match(shown.at(-1) ?? "", /^… \d+ lines more/);
});

test("in a pipe screens follow one another, without escape sequences", () => {
  const written: string[] = [];
  const out = new Output({ write: (text) => written.push(text) }, {});
  const screen = new LiveScreen(out);
  screen.draw([{ text: "one", style: "red" }]);
  screen.draw([{ text: "two" }]);
  assert.equal(written.join(""), "one\n\ntwo\n");
});

test("a line is shown in its style where colours are welcome", () => {
  const terminal = new Terminal();
  printLines(new Output(terminal, { TERM: "xterm" }), [{ text: "bad", style: "red" }]);
  assert.equal(terminal.text, "\u001B[31mbad\u001B[39m\n");
});
