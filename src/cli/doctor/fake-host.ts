/** A machine made of a directory of files, for the tests of the checks. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { FEATURES } from "../../linux/probe-features.ts";
import { featuresOf } from "../../linux/probe.ts";
import { type Feature } from "../../linux/feature.ts";
import { type Host, openFileTree } from "./host.ts";

export interface FakeHostOptions extends Partial<Omit<Host, "read" | "list" | "target">> {
  /** Content by path, without a leading slash. On top of a machine that is in order. */
  readonly files?: Readonly<Record<string, string>>;
  /** Target by path of symbolic link. */
  readonly links?: Readonly<Record<string, string>>;
}

const healthy: Readonly<Record<string, string>> = {
  "proc/self/status": "Name:\tnode\nCapEff:\t000001ffffffffff\n",
  "proc/self/limits": "Limit   Soft Limit   Hard Limit   Units\nMax open files   1048576   1048576   files\n",
  "proc/self/uid_map": "         0          0 4294967295\n",
  "proc/1/comm": "systemd\n",
  "proc/sys/kernel/osrelease": "6.6.1\n",
  "proc/sys/net/ipv4/conf/all/rp_filter": "0\n",
  "proc/sys/net/ipv6/conf/all/disable_ipv6": "0\n",
  "proc/sys/kernel/unprivileged_bpf_disabled": "2\n",
  "proc/sys/net/core/bpf_jit_enable": "1\n",
  "proc/sys/net/core/rmem_max": "212992\n",
};

/** A kernel that has all that netloom needs. */
const sound: readonly Feature[] = featuresOf(FEATURES.map(() => ({ supported: true, evidence: "tried" })));

/** The sound kernel with one of its features changed. */
export function withFeature(feature: Partial<Feature> & Pick<Feature, "name">): Feature[] {
  return sound.map((known) => (known.name === feature.name ? { ...known, ...feature } : known));
}

/** A machine on which every check is fine, but for `options`. Its directory goes with the test. */
export function fakeHost(t: TestContext, options: FakeHostOptions = {}): Host {
  const { files = {}, links = {}, ...rest } = options;
  const root = mkdtempSync(join(tmpdir(), "netloom-doctor-"));
  t.after(() => rmSync(root, { recursive: true }));
  const place = (path: string): string => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    return join(root, path);
  };
  for (const [path, text] of Object.entries({ ...healthy, ...files })) writeFileSync(place(path), text);
  for (const [path, target] of Object.entries(links)) symlinkSync(target, place(path));
  return {
    ...openFileTree(root),
    nodeVersion: "24.21.0",
    features: sound,
    devices: [],
    markedEntries: [],
    settings: {},
    ...rest,
  };
}
