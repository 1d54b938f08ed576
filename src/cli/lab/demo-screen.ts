/** The demo as a screen of text, often the first thing that a new user sees. At most 30 lines of 100 columns. */
import type { DemoStep, Probes } from "../../lab/demo.ts";
import { DOCUMENTS } from "../../documents/documents.ts";
import type { Lab } from "../../lab/file/model.ts";
import { endName } from "../../view/wire-view.ts";
import type { Output } from "../output.ts";

type Step<Name extends DemoStep["step"]> = Extract<DemoStep, { step: Name }>;

/** Prints each step when it is done. The layout depends only on the lab, not on the figures. */
export class DemoScreen {
  readonly #out: Output;

  constructor(out: Output) {
    this.#out = out;
  }

  title(): void {
    this.#out.line(
      `${this.#out.style("bold", "netloom demo")}: two hosts, a registry, two agents, a service requested by its name`,
    );
    this.#out.line();
  }

  show(step: DemoStep): void {
    switch (step.step) {
      case "cleaned":
        this.#done("removed what an earlier demo left", step.durationMs);
        return this.#out.line();
      case "planned":
        return this.#planned(step);
      case "built":
        return this.#built(step);
      case "probed":
        return this.#probed(step);
      case "removed":
        return this.#removed(step);
    }
  }

  end(isFine: boolean): void {
    this.#out.line();
    if (isFine) this.#out.line("Next: netloom doctor, netloom lab up examples/first.yaml, netloom --help");
    else this.#out.line("Something failed. Next: netloom doctor");
  }

  #planned({ lab, durationMs }: Step<"planned">): void {
    for (const line of picture(lab)) this.#out.line(`  ${this.#out.style("cyan", line)}`);
    this.#out.line();
    this.#done("read and checked the lab", durationMs);
  }

  #built({ report, durationMs }: Step<"built">): void {
    const { namespaces, attachments, agentsMs, attachmentsMs } = report;
    const agents = report.lab.mesh?.agents.length ?? 0;
    const buildMs = durationMs - agentsMs - attachmentsMs;
    this.#done(`built ${namespaces.added.length} namespaces and 1 cable`, buildMs);
    this.#done(`started a registry and ${agents} agents`, agentsMs);
    const isUp = attachments.every((each) => each.isUp);
    this.#mark(isUp, `${offers(report.lab)}, and ${asks(report.lab)}`, attachmentsMs);
    for (const { host, ref, reason } of attachments.filter((each) => !each.isUp))
      this.#out.line(`      ${ref.kind} ${ref.name} of ${host}: ${reason}`);
  }

  #probed({ wire, probes, problems, durationMs }: Step<"probed">): void {
    const lost = probes.reduce((sum, { sent, received }) => sum + sent - received, 0);
    const sent = probes.reduce((sum, each) => sum + each.sent, 0);
    const { client, endpoint } = wire.interfaces;
    const server = endpoint ? `${endpoint.host}/${endpoint.workload}` : wire.endpoint;
    this.#mark(lost === 0, `sent ${sent} packets ${endName(wire, "client")} → ${server}`, durationMs);
    this.#out.line(`      path     ${wire.path}`);
    const [came, back] = [endpoint, client].map((end) => end?.received?.packets ?? "?");
    this.#out.line(`      counted  ${server} received ${came} packets, and ${back} came back`);
    const mtu = `mtu ${wire.mtuBytes}${problems.length === 0 ? ", one byte more is refused" : ""}`;
    for (const probe of probes) this.#out.line(`      ${describeProbes(probe)}   ${mtu}`);
    for (const problem of problems) this.#out.line(`      ! ${problem}`);
  }

  #removed({ leftovers, report, durationMs }: Step<"removed">): void {
    this.#done(
      `ended all processes, removed ${report.namespaces.length} namespaces and all in them`,
      durationMs,
    );
    this.#mark(
      leftovers.length === 0,
      "nothing was left behind: no process, namespace, program, mount or file",
    );
    for (const leftover of leftovers) this.#out.line(`      ${leftover}`);
  }

  #done(what: string, durationMs?: number): void {
    this.#mark(true, what, durationMs);
  }

  #mark(isFine: boolean, what: string, durationMs?: number): void {
    const sign = isFine ? this.#out.style("green", "✓") : this.#out.style("red", "✗");
    const time = durationMs === undefined ? "" : `${durationMs.toFixed(1).padStart(8)} ms`;
    this.#out.line(`  ${sign} ${what.padEnd(64)}${time}`.trimEnd());
  }
}

function describeProbes({ family, address, sent, received, rttMs }: Probes): string {
  const rtt = rttMs === undefined ? "no answer" : `rtt ${rttMs.median.toFixed(3)} ms`;
  return `ipv${family}     ${address.padEnd(12)} ${received}/${sent} answered   ${rtt}`;
}

/** `beta/db offers "db"` */
function offers({ mesh }: Lab): string {
  return (mesh?.attachments ?? [])
    .flatMap(({ place, spec }) =>
      DOCUMENTS.of(spec).end === "endpoint"
        ? [`${place} offers ${spec.services.map(quoted).join(", ")}`]
        : [],
    )
    .join(", ");
}

/** `alpha/web and beta/app got wires to it` */
function asks({ mesh }: Lab): string {
  const clients = (mesh?.attachments ?? []).flatMap(({ place, spec }) =>
    DOCUMENTS.of(spec).end === "client" ? (place ?? []) : [],
  );
  return `${clients.join(" and ")} got wires to it`;
}

function quoted(text: string): string {
  return `"${text}"`;
}

/**
 * Two hosts side by side, cable and wires between them:
 *
 *   host alpha                host beta
 *   ┌──────────┐              ┌─────────────────┐
 *   │  web ════╪═══ vxlan ════╪══════════╗      │
 *   │  agent   ├─ a ────── b ─┤  app ═══ db     │
 *   │  registry│              │  agent          │
 *   └──────────┘              └─────────────────┘
 */
function picture(lab: Lab): string[] {
  const [near, far] = lab.hosts;
  const [cable] = lab.links;
  const [web] = near?.workloads ?? [];
  const [app, db] = far?.workloads ?? [];
  if (!near || !far || !cable || !web || !app || !db) return [];
  const [left, middle, right] = [20, 44, 26];
  const [a = "", b = ""] = cable.ends.map(({ addresses }) => ` ${addresses[0]?.split("/")[0]} `);
  const wire = `  ${app} ${centre(" veth ", right - app.length - db.length - 6, "═")} ${db}  `;
  const bend = `${"═".repeat(right - db.length - 2)}╗`.padEnd(right);
  const line = centre(" cable ", middle - 2 - a.length - b.length, "─");
  return [
    `${`host ${near.name}`.padEnd(left + middle + 2)}host ${far.name}`,
    `┌${"─".repeat(left)}┐${" ".repeat(middle)}┌${"─".repeat(right)}┐`,
    `│${`  ${web} `.padEnd(left, "═")}╪${centre(" vxlan ", middle, "═")}╪${bend}│`,
    `│${"  agent".padEnd(left)}├─${a}${line}${b}─┤${wire}│`,
    `│${"  registry".padEnd(left)}│${" ".repeat(middle)}│${"  agent".padEnd(right)}│`,
    `└${"─".repeat(left)}┘${" ".repeat(middle)}└${"─".repeat(right)}┘`,
  ];
}

function centre(text: string, width: number, fill: string): string {
  const before = Math.floor((width - text.length) / 2);
  return text.padStart(text.length + before, fill).padEnd(width, fill);
}
