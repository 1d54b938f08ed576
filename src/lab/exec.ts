/** Runs a program in a namespace of a lab. */
import { becomeIn } from "../linux/processes/become.ts";
import { NetloomError } from "../errors/errors.ts";
import { quote } from "../text/problem.ts";
import { checkLabName, namespacesOf } from "./state.ts";
import { unknownName } from "./file/findings.ts";
import { namespaceName, namespacePrefix, NETNS_DIRECTORY } from "./topology/topology.ts";

/** Path of the namespace of a host, router or `host/workload`. NOT_FOUND, with suggestions, if it does not exist. */
export async function findPlace(lab: string, place: string): Promise<string> {
  checkLabName(lab);
  const names = await namespacesOf(lab);
  if (names.length === 0) {
    throw new NetloomError("NOT_FOUND", `find ${quote(place)}: lab ${quote(lab)} is not up`, {
      topic: "NL-601",
      hint: "netloom lab status lists the labs of this machine; netloom lab up <file> makes one",
    });
  }
  const name = namespaceName(lab, place);
  if (place.split("/").length > 2 || !names.includes(name)) {
    const places = names.map((each) => each.slice(namespacePrefix(lab).length).replace("-", "/"));
    throw new NetloomError(
      "NOT_FOUND",
      `find a place in lab ${lab}: ${unknownName("place", place, places)}`,
      {
        hint: "a place is a host, a router or host/workload",
      },
    );
  }
  return `${NETNS_DIRECTORY}/${name}`;
}

/**
 * Replaces this process with the program `argv`, in the namespace of `place`. Exit code, signals and terminal are the
 * program's own, because execve leaves nothing of Node: it keeps the network namespace of the calling thread and ends all
 * others. Only the network is the lab's; files and processes are the machine's. NOT_FOUND if there is no such place
 * or program; then this process stays in its namespace.
 */
export async function exec(lab: string, place: string, argv: readonly string[]): Promise<never> {
  const path = await findPlace(lab, place);
  const program = argv[0] ?? "";
  const errno = becomeIn(path, argv);
  const reason =
    errno === "ENOENT"
      ? "there is no such program"
      : errno === "EACCES"
        ? "no permission to execute it"
        : "it cannot be executed";
  throw new NetloomError(
    errno === "EACCES" ? "PERMISSION_DENIED" : "NOT_FOUND",
    `run ${quote(program)} in ${place}: ${errno}: ${reason}`,
    {
      hint: "name a program of this machine; its search path is PATH",
    },
  );
}
