import assert from "node:assert/strict";
import { test } from "node:test";
import { lineLog } from "../../observe/log.ts";
import { fakeHost, type FakeHostOptions } from "../../../fixtures/cli/fake-host.ts";
import { warnOfLimits } from "./machine-limits.ts";

const cases: readonly (readonly [
  string,
  FakeHostOptions["files"],
  RegExp | undefined,
  FakeHostOptions["links"]?,
])[] = [
  ["a machine in order", {}, undefined, { "proc/self/ns/mnt": "mnt:[1]", "proc/1/ns/mnt": "mnt:[1]" }],
  [
    "pins that end with their mount namespace",
    {},
    /a mount namespace of its own.*nsenter/,
    { "proc/self/ns/mnt": "mnt:[2]", "proc/1/ns/mnt": "mnt:[1]" },
  ],
  [
    "few descriptors",
    { "proc/self/limits": "Max open files   48   48   files\n" },
    /open files: limit 48.*ulimit -n/,
  ],
  [
    "settings that cannot be written",
    { "proc/self/mounts": "proc /proc proc rw 0 0\nproc /proc/sys proc ro,nosuid 0 0\n" },
    /\/proc\/sys is read-only.*remount,rw/,
  ],
  [
    "settings that are writable again",
    { "proc/self/mounts": "proc /proc/sys proc ro 0 0\nproc /proc/sys proc rw,nosuid 0 0\n" },
    undefined,
  ],
];

for (const [title, files = {}, expected, links = {}] of cases)
  test(`a daemon warns at its start of limits of the machine, and only then: ${title}`, (t) => {
    const lines: string[] = [];
    warnOfLimits(
      lineLog((line) => lines.push(line), "warn"),
      fakeHost(t, { files, links }),
    );
    assert.equal(lines.length, expected ? 1 : 0, lines.join("\n"));
    if (expected) assert.match(lines.join("\n"), expected);
  });
