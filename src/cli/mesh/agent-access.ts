/**
 * Connects a command to the agent of a host: finds the agent, opens one connection, and explains if no agent answers.
 */
import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LAB_NAME_PART } from "../../resolvers/lab/places.ts";
import { call, watch } from "../../api/rpc.ts";
import { didYouMean, quote } from "../../text/problem.ts";
import { GrpcHop } from "../../transport/grpc-client.ts";
import { NetloomError, reasonOf } from "../../errors/errors.ts";
import type { ReasonFields } from "../../errors/reasons.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { CommandContext } from "../command.ts";
import type { AgentChoice } from "./agent-options.ts";
import { PLAIN_CREDENTIALS } from "../../identity/identities.ts";

const callTimeoutMs = 10_000;

/** Directory with the sockets of the agents of labs: `<lab>/<host>/agent.sock`. */
const labsDirectory = "/run/netloom/labs";

/** An agent that a command talks to. */
export interface AgentTarget {
  readonly url: string;
  /** Host of a lab; otherwise the agent reports its own name. */
  readonly host?: string;
}

/** One connection to one agent. It throws the agent's own errors, or NL-201 if no agent answers. */
export class AgentClient {
  readonly url: string;
  readonly #hop: GrpcHop;

  constructor(url: string) {
    this.url = url;
    this.#hop = new GrpcHop(url, { credentials: PLAIN_CREDENTIALS });
  }

  /** Calls a method of the agent. Default time-out: 10 s. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    timeoutMs: number = callTimeoutMs,
  ): Promise<MessageShape<O>> {
    return await this.#explained(() => call(this.#hop, method, request, { timeoutMs }));
  }

  watch<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
  ): Watch<MessageShape<O>> {
    const answers = watch(this.#hop, method, request);
    return watchOf({ take: () => this.#explained(() => answers.take()), close: () => answers.close() });
  }

  close(): void {
    this.#hop.close();
  }

  async #explained<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      const unreachable = reasonOf(error, "PEER_UNREACHABLE");
      // The agent may answer that another process is unreachable: that is a different error.
      throw unreachable?.url === this.url ? nobodyThere(unreachable, error) : error;
    }
  }
}

/**
 * Runs `work` with the one agent that the options name. NL-202 if they are ambiguous. An interrupt cancels running
 * calls.
 */
export async function withAgent<T>(
  context: CommandContext,
  options: AgentChoice,
  work: (agent: AgentClient) => Promise<T>,
): Promise<T> {
  return await withAgents(context, [oneTarget(options)], ([agent]) => {
    if (!agent) throw new RangeError("there is one agent for each target");
    return work(agent);
  });
}

/** Runs `work` with a connection to each target, and always closes all of them. */
export async function withAgents<T>(
  context: CommandContext,
  targets: readonly AgentTarget[],
  work: (agents: readonly AgentClient[]) => Promise<T>,
): Promise<T> {
  const agents = targets.map(({ url }) => new AgentClient(url));
  const close = (): void => {
    for (const agent of agents) agent.close();
  };
  context.signal.addEventListener("abort", close);
  try {
    const result = await work(agents);
    context.signal.throwIfAborted();
    return result;
  } catch (error) {
    // After an interrupt, report the signal instead of the errors of the calls that it cut off.
    context.signal.throwIfAborted();
    throw error;
  } finally {
    context.signal.removeEventListener("abort", close);
    close();
  }
}

/** The agent that the options name. A lab with one host needs no `--host`. */
function oneTarget(options: AgentChoice): AgentTarget {
  const [target, ...others] = allTargets(options);
  if (!target) throw noAgents(options.lab ?? "");
  if (others.length === 0) return target;
  const hosts = [target, ...others].map(({ host = "" }) => host);
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `choose an agent of lab ${options.lab}: it has ${hosts.length} hosts`,
    { topic: "NL-202", hint: `add --host ${hosts.slice(0, 8).join("|")}` },
  );
}

/** The agents that the options name; with `--lab` alone the agents of all its hosts, by name. */
export function allTargets({ agent, lab, host }: AgentChoice): AgentTarget[] {
  if (lab === undefined) return [{ url: agent }];
  checkName("lab", lab);
  if (host !== undefined) {
    checkName("host", host);
    return [labTarget(lab, host)];
  }
  const hosts = hostsOf(lab);
  if (hosts.length === 0) throw noAgents(lab);
  return hosts.map((name) => labTarget(lab, name));
}

function labTarget(lab: string, host: string): AgentTarget {
  return { url: `unix://${join(labsDirectory, lab, host, "agent.sock")}`, host };
}

/** Sorted names of the hosts of a lab that have an agent's socket. */
function hostsOf(lab: string): string[] {
  return list(join(labsDirectory, lab))
    .filter((host) => LAB_NAME_PART.test(host) && list(join(labsDirectory, lab, host)).includes("agent.sock"))
    .sort();
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Refuses a name that cannot be part of a path. */
function checkName(noun: string, name: string): void {
  if (LAB_NAME_PART.test(name)) return;
  throw new NetloomError("INVALID_ARGUMENT", `${quote(name)} is not a ${noun} name`, {
    hint: "names are 1-12 lower-case letters and digits, a letter first; netloom lab status lists the labs",
  });
}

function noAgents(lab: string): NetloomError {
  const labs = list(labsDirectory).filter((name) => hostsOf(name).length > 0);
  const known = labs.length === 0 ? "no lab here has any" : `labs with agents: ${labs.sort().join(", ")}`;
  return new NetloomError(
    "NOT_FOUND",
    `find the agents of lab ${lab}: there are none${didYouMean(lab, labs)}`,
    { topic: "NL-201", hint: `${known}; netloom lab up <file> starts those of a file` },
  );
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "the socket exists, but no process listens",
  EACCES: "not permitted",
};

function nobodyThere({ url, why }: ReasonFields<"PEER_UNREACHABLE">, cause: unknown): NetloomError {
  const known = reasons[why];
  return new NetloomError(
    "UNAVAILABLE",
    `ask the agent at ${url}: nobody answers: ${known === undefined ? why || "it closes every connection at once" : `${why}: ${known}`}`,
    {
      cause,
      topic: "NL-201",
      hint:
        why === "EACCES"
          ? "run the command with sudo, or as a user of the socket's group"
          : why === ""
            ? "its limit of open files may be reached: see netloom doctor and its log"
            : "start it with sudo netloom agent, or name it: --agent unix:///path, or --lab <lab> --host <host>",
    },
  );
}
