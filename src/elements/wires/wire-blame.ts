/** Explains why a wire cannot be made, in terms of its two ends instead of the kernel's. */
import { wireMtu } from "../../forwarder/plan/plan.ts";
import { leastMtu, wireProblems } from "../../forwarder/plan/validate.ts";
import { refusedStep } from "../../forwarder/reconcile/explain.ts";
import type { Wire } from "../../forwarder/wire.ts";
import { KernelError, type KernelObject, type KernelPlace } from "../../kernel/kernel.ts";
import { carrierOf, endsOf, isDevice, namespacesOf } from "../../kernel/objects.ts";
import { deviceOf, endOf } from "../../mechanisms/list.ts";
import type { WorkloadDevice } from "../../mechanisms/mechanism-type.ts";
import type { Side } from "../../mechanisms/side.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";

/** The names of the two ends for users, and the requested MTU. */
export interface WireEnds {
  /** `alpha/web` */
  readonly client: string;
  /** `db.beta` */
  readonly endpoint: string;
  /** The MTU of the request; 0 for none. */
  readonly askedMtu: number;
}

/** Throws if a wire is unfit, before the kernel sees it. */
export function refuseUnfit(wire: Wire, ends: WireEnds): void {
  const { client, endpoint, context } = wire;
  const [from, to] = [endOf(client), endOf(endpoint)];
  if (from && to && from.netns === to.netns && from.interfaceName === to.interfaceName) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `connect ${ends.client} to ${ends.endpoint}: both are the interface ${from.interfaceName} of one workload`,
      {
        side: "client",
        reason: reason("INTERFACE_TAKEN", { interface: from.interfaceName }),
        hint: "give the client another interface, or a workload of its own",
      },
    );
  }
  const mtu = mtuProblem(wire);
  const problems = mtu === undefined ? wireProblems(wire).map(({ sentence }) => sentence) : [];
  if (problems.length > 0) throw nonsense(ends.endpoint, problems);
  if (mtu === undefined) return;
  const what = `connect ${ends.client} to ${ends.endpoint}: ${mtu}`;
  const sizes = { mtuBytes: String(wireMtu(wire)), leastBytes: String(leastMtu(wire)) };
  const details = { topic: "NL-410", reason: reason("MTU_TOO_SMALL", sizes) } as const;
  if (isTooSmall(wire, ends.askedMtu)) {
    const hint = `${ends.client} requests an MTU of ${ends.askedMtu} bytes: set a larger mtu, or none`;
    throw new NetloomError("INVALID_ARGUMENT", what, { ...details, side: "client", hint });
  }
  const isAnswered = isTooSmall(wire, context.mtuBytes ?? 0) && context.mtuBytes !== ends.askedMtu;
  const hint = isAnswered
    ? `${ends.endpoint} answers with an MTU of ${context.mtuBytes} bytes: set a larger mtu there, or none`
    : "the MTU between the hosts is too small for a tunnel: check the routes, the devices, and --underlay-mtu of the agents";
  throw new NetloomError("FAILED_PRECONDITION", what, { ...details, hint });
}

/** The problem with the MTU of a wire that is otherwise valid. */
function mtuProblem(wire: Wire): string | undefined {
  return wireProblems(wire).find(({ part }) => part[0] === "mtuBytes")?.sentence;
}

function isTooSmall(wire: Wire, mtuBytes: number): boolean {
  return mtuBytes !== 0 && mtuBytes < leastMtu(wire);
}

/** The error for an endpoint's answer that makes no wire. */
export function nonsense(endpoint: string, problems: readonly string[], cause?: NetloomError): NetloomError {
  return new NetloomError(
    "INTERNAL",
    `make a wire from the answer of ${endpoint || "the other side"}: ${problems.join(" ")}`,
    {
      cause,
      topic: "NL-406",
      side: "endpoint",
      hint: "the endpoint, or the forwarder of its host, is at fault; nothing was changed",
    },
  );
}

/** Describes a refusal of this host's kernel in terms of the wire. */
export function blame(error: NetloomError, wire: Wire, ends: WireEnds): NetloomError {
  const attempt =
    ends.client === "" || ends.endpoint === ""
      ? "make a wire: "
      : `connect ${ends.client} to ${ends.endpoint}: `;
  const inWords = (text: string): string =>
    (["client", "endpoint"] as const).reduce(
      (said, side) => {
        const device = deviceOf(wire[side]);
        return device ? said.replaceAll(device.netns, wordsOf(side, ends)) : said;
      },
      text.replace(`make wire ${wire.connectionId}: `, attempt),
    );
  return new NetloomError(error.code, inWords(error.message), {
    side: error.side ?? sideOf(error, wire),
    cause: error,
    hint: error.hint && inWords(error.hint),
  });
}

function wordsOf(side: Side, { client, endpoint }: WireEnds): string {
  if (side === "client") return client === "" ? "the client's workload" : `workload ${client}`;
  return endpoint === "" ? "the endpoint's workload" : `the workload of ${endpoint}`;
}

/**
 * The end of the wire at which the kernel refused an object: from the place that the kernel names, otherwise from the
 * place of the refused object. `undefined` if the place is at both ends or at neither.
 */
function sideOf(error: NetloomError, wire: Wire): Side | undefined {
  const said = kernelErrorOf(error)?.at;
  const step = refusedStep(error)?.step;
  return (said && sideAt([said], wire)) ?? (step && sideAt(placesOf(step.object), wire));
}

function kernelErrorOf(error: unknown): KernelError | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if (each instanceof KernelError) return each;
  return undefined;
}

function placesOf(object: KernelObject): readonly KernelPlace[] {
  if (isDevice(object)) return endsOf(object).map(({ netns, name }) => ({ netns, link: name }));
  const carrier = carrierOf(object);
  return carrier ? [carrier] : namespacesOf(object).map((netns) => ({ netns }));
}

/** Compares devices first, then namespaces. */
function sideAt(places: readonly KernelPlace[], wire: Wire): Side | undefined {
  const sidesWhere = (isThere: (place: KernelPlace, device: WorkloadDevice) => boolean): readonly Side[] =>
    (["client", "endpoint"] as const).filter((side) => {
      const device = deviceOf(wire[side]);
      return device && places.some((place) => place.netns === device.netns && isThere(place, device));
    });
  const byDevice = sidesWhere(({ link }, { interfaceName }) => link === interfaceName);
  const byNamespace = sidesWhere(({ netns }) => netns !== "host");
  return [byDevice, byNamespace].find(({ length }) => length === 1)?.[0];
}
