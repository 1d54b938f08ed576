/** The types of workload names, in the order of sentences about them. A new one is a folder, and a line here. */
import { lab } from "./lab/lab.ts";
import { netns } from "./netns/netns.ts";
import { pid } from "./pid/pid.ts";
import { port } from "./port/port.ts";
import type { Resolver } from "./resolver.ts";

export const RESOLVERS: readonly Resolver[] = [netns, pid, lab, port];
