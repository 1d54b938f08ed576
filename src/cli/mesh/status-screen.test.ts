import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type HostStatus, Wire_State, WireSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { Output } from "../output.ts";
import { describeFound, descriptionScreen } from "./description.ts";
import { LiveScreen, printLines } from "./live-screen.ts";
import { isUp, meshView } from "../../view/mesh-view.ts";
import { largeMesh, NOW_MS } from "../../../fixtures/view/status.ts";
import { statusScreen } from "./status-screen.ts";

/** Rewritten with UPDATE_GOLDEN=1; review the change. */
const golden = new URL("./status-screen.golden.txt", import.meta.url);

test("8 hosts and 50 wires give the same screen as the golden file", () => {
  const drawn = statusScreen(meshView(largeMesh()), NOW_MS)
    .map(({ text }) => `${text}\n`)
    .join("");
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, drawn);
  assert.equal(drawn, readFileSync(golden, "utf8"));
});

test("the screen fits into 120 columns, except for reasons and hosts, and has a line for each wire", () => {
  const lines = statusScreen(meshView(largeMesh()), NOW_MS).map(({ text }) => text);
  const wires = lines.filter((text) => /→/.test(text) && /nsm-1/.test(text));
  assert.equal(wires.length, 50);
  for (const line of wires) assert.ok(line.length <= 120, `${line.length}: ${line}`);
});

test("problems come first, the worst at the top, each with its reason and what to do", () => {
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

test("a host that the registry refuses gets a warning with the registry's message", () => {
  const [alpha] = largeMesh();
  assert.ok(alpha?.registry);
  alpha.registry.reason = "there is another host alpha";
  const texts = statusScreen(meshView([alpha]), NOW_MS).map(({ text }) => text);
  assert.match(texts[0] ?? "", /registry tcp:/);
  assert.equal(texts[1], "  ! registry tcp://10.0.0.100:5002 refuses this host: there is another host alpha");
});

test("recent drops of a host are a line without alarm, and the usual drops of a closing wire are no line", () => {
  const lines = statusScreen(meshView(largeMesh()), NOW_MS).filter(({ text }) => text.includes("dropped"));
  const text =
    "  dropped 1200 packets, the last 5 s ago: tunnel packets that no wire takes (netloom get drops)";
  assert.deepEqual(lines, [{ text, style: "dim" }]);
});

test("a wire that both of its hosts report is listed once, with both devices", () => {
  const { wires } = meshView(largeMesh());
  assert.equal(wires.length, 50);
  const remote = wires.find(({ wire }) => wire === "beta/web-1/nsm-1");
  assert.deepEqual(remote?.interfaces.client?.interface, "nsm-1");
  assert.deepEqual(remote?.interfaces.endpoint?.interface, "db-1");
});

test("wires of an earlier agent are shown as unclaimed, and count as no failure", () => {
  const [alpha] = largeMesh();
  const unclaimed = [
    create(WireSchema, {
      id: "4711-left-over",
      state: Wire_State.UNCLAIMED,
      endpointEnd: { workload: "db", netns: "file:///run/netns/db", interface: "db-ab12" },
      path: {
        hops: [
          {
            to: "alpha",
            carriers: ["vxlan"],
            identifier: { name: "vni", value: 42 },
            tunnel: { type: "VXLAN", source: "10.0.0.2", destination: "10.0.0.1" },
          },
        ],
      },
      mtu: 1446,
      endpointAddresses: ["172.16.0.0/32"],
    }),
  ];
  const status = alpha && { ...alpha, wires: [], unclaimed, unclaimedWires: 1 };
  assert.ok(status);
  const view = meshView([status]);
  assert.ok(isUp(view));
  const texts = statusScreen(view, NOW_MS).map(({ text }) => text);
  assert.ok(texts.includes("  ! 1 wire of an earlier agent that no client has requested since"));
  assert.match(
    texts.join("\n"),
    /\n! 4711-left-over +vxlan vni 42 10\.0\.0\.2→alpha +db-ab12 +- → 172\.16\.0\.0 +1446 +unclaimed +-\n/,
  );
  const [known] = largeMesh()[0]?.wires ?? [];
  const twice = [
    { ...status, unclaimed: [{ ...unclaimed[0], id: known?.id ?? "" }] },
    ...largeMesh().slice(1),
  ];
  assert.equal(meshView(twice as HostStatus[]).wires.find(({ id }) => id === known?.id)?.state, "up");
  const described = descriptionScreen(describeFound(status, [], "4711-lef"), NOW_MS).map(({ text }) => text);
  assert.equal(described[0], "wire 4711-left-over: unclaimed");
  assert.match(described.join("\n"), /reason +no client has requested it since this agent started/);
  assert.match(described.join("\n"), /endpoint +device db-ab12 in file:\/\/\/run\/netns\/db, 172\.16\.0\.0/);
});

test("only a mesh in which everything is up counts as up", () => {
  const [alpha] = largeMesh();
  assert.ok(alpha && isUp(meshView([{ ...alpha, wires: [] }])));
  assert.ok(!isUp(meshView(largeMesh())));
});

test("a host without documents gets a hint how to make one", () => {
  const [alpha] = largeMesh();
  const lines = alpha ? statusScreen(meshView([{ ...alpha, wires: [], attachments: [] }]), NOW_MS) : [];
  assert.match(lines.at(-1)?.text ?? "", /no documents on this host: use netloom connect/);
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

test("on a terminal a screen replaces the previous one, and is cut to the terminal's size", () => {
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
  const out = new Output({ write: (text) => written.push(String(text)) }, {});
  const screen = new LiveScreen(out);
  screen.draw([{ text: "one", style: "red" }]);
  screen.draw([{ text: "two" }]);
  assert.equal(written.join(""), "one\n\ntwo\n");
});

test("a line has its style where colours are allowed", () => {
  const terminal = new Terminal();
  printLines(new Output(terminal, { TERM: "xterm" }), [{ text: "bad", style: "red" }]);
  assert.equal(terminal.text, "\u001B[31mbad\u001B[39m\n");
});
