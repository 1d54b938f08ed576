import type { Output } from "../output.ts";
import type { Check, Report, Status } from "../../doctor/check.ts";
import type { DoctorHost } from "./host.ts";

/** The shape of `netloom doctor -o json`. */
export interface DoctorReport {
  /** The worst status of all findings. */
  readonly status: Status;
  readonly checks: readonly CheckReport[];
}

interface CheckReport {
  readonly name: string;
  readonly title: string;
  readonly findings: readonly Report[];
}

const bySeverity: readonly Status[] = ["failed", "warning", "absent"];

/** Runs all checks, one after the other. */
export function examine(host: DoctorHost, checks: readonly Check<DoctorHost>[]): DoctorReport {
  const reports = checks.map((check) => ({
    name: check.name,
    title: check.title,
    findings: check.run(host),
  }));
  const statuses = new Set(usedOf(reports).map(({ status }) => status));
  const status = bySeverity.find((each) => statuses.has(each)) ?? "ok";
  return { status, checks: reports };
}

function usedOf(reports: readonly CheckReport[]): Report[] {
  return reports.flatMap(({ findings }) => findings.filter(({ isUnused }) => isUnused !== true));
}

/**
 * One line for each finding. A finding that is not ok adds why it matters and the command that fixes it. Features that
 * Netloom does not use yet share one line, unless `all` is set.
 */
export function printReport(out: Output, report: DoctorReport, { all = false } = {}): void {
  for (const { title, findings } of report.checks) {
    out.line(out.style("bold", title));
    const unused = findings.filter(({ isUnused }) => isUnused === true && !all);
    for (const finding of findings) if (!unused.includes(finding)) printFinding(out, finding);
    if (unused.length === 0) continue;
    const missing = unused.filter(({ status }) => status !== "ok").length;
    const sign = out.style("dim", "-");
    out.line(
      `  ${sign} not used yet: ${unused.length - missing} here, ${missing} missing (--all lists them)`,
    );
  }
  out.line();
  out.line(summary(out, report));
}

function printFinding(out: Output, finding: Report): void {
  if (finding.status === "ok") return out.line(`  ${out.style("green", "✓")} ${finding.what}`);
  if (finding.status === "absent") {
    const { what, why, remedy } = finding;
    return out.line(`  ${out.style("dim", "-")} ${what}: ${why} (${remedy})`);
  }
  const sign = finding.status === "failed" ? out.style("red", "✗") : out.style("yellow", "!");
  out.line(`  ${sign} ${finding.what}`);
  out.line(`      why: ${finding.why}`);
  out.line(`      fix: ${out.style("cyan", finding.remedy)}`);
}

function summary(out: Output, report: DoctorReport): string {
  const used = usedOf(report.checks);
  const count = (status: Status): number => used.filter((finding) => finding.status === status).length;
  const figures = [
    `${count("ok")} fine`,
    `${count("absent")} optional and absent`,
    `${count("warning")} to check`,
    `${count("failed")} failed`,
  ].join(", ");
  if (report.status === "failed")
    return `${out.style("red", "netloom does not fully work here:")} ${figures}`;
  return `${out.style("green", "netloom works here:")} ${figures}`;
}
