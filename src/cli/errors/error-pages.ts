/** The texts of `netloom explain` and docs/reference/errors.md. A test requires one for every topic in the sources. */
import type { Topic } from "../../errors/errors.ts";
import { IDENTITIES } from "../../identity/identities.ts";

export interface ErrorPage {
  /** A short heading. */
  readonly title: string;
  readonly means: string;
  /** Possible causes. */
  readonly causes: readonly string[];
  /** Remedies, the most likely first. */
  readonly remedies: readonly string[];
}

/** Areas by the first digit of a topic. */
export const ERROR_AREAS: Readonly<Record<string, string>> = {
  "0": "Any operation",
  "1": "Files and the command line",
  "2": "Agents",
  "3": "Services and endpoints",
  "4": "Wires and the kernel",
  "5": "Addresses",
  "6": "Labs",
  "7": "The network between processes",
};

/** Sorted by topic. */
export const ERROR_PAGES: Readonly<Record<Topic, ErrorPage>> = {
  "NL-001": {
    title: "cancelled",
    means: "The caller left, or stopped the operation, before it was done.",
    causes: [
      "a signal ended the command",
      "the agent was stopped",
      "an attachment was changed or removed while its wire was being made",
    ],
    remedies: ["nothing: its changes were undone, or the next refresh undoes them", "run it again"],
  },
  "NL-003": {
    title: "the request is wrong",
    means: "The request can never succeed as it is written, in any state of the mesh.",
    causes: [
      "a value is out of its range, a name has the wrong form, or two values contradict each other",
      "another program sends a message that breaks the rules of the protocol",
    ],
    remedies: [
      "correct what the message names; nothing was changed",
      "for a message of another program: see its log; docs/reference/glossary.md explains the words",
    ],
  },
  "NL-004": {
    title: "no answer in time",
    means: "No answer came within the time limit. The other side may have done the operation anyway.",
    causes: [
      "a station on the path is overloaded, or stopped by a debugger",
      "packets between the hosts are lost",
      "the endpoint takes longer than its client is willing to wait",
    ],
    remedies: [
      "wait: attachments are retried by themselves",
      "netloom status on each host of the path shows which one does not answer",
    ],
  },
  "NL-005": {
    title: "it does not exist",
    means: "The named object does not exist, or no longer exists.",
    causes: ["a name is misspelt", "it was removed meanwhile", "it is on another host"],
    remedies: ["netloom get lists the documents of this host, netloom status its wires"],
  },
  "NL-006": {
    title: "it exists already",
    means: "An object of that name exists, and netloom may not replace it.",
    causes: ["another program made it", "an earlier run under another name made it"],
    remedies: ["choose another name, or remove the existing object"],
  },
  "NL-007": {
    title: "not permitted",
    means: "The request may be right, but this caller may not make it.",
    causes: ["the object belongs to another peer", "the caller has no right to the socket or the file"],
    remedies: ["do it as the owner, or from the host of the owner"],
  },
  "NL-008": {
    title: "a limit is reached",
    means: "A limit was reached: memory, disk, addresses, VNIs, waiting requests, or the size of a message.",
    causes: [
      "the disk under the state directory is full",
      "a client sends requests faster than they are answered",
      "there are more wires than the host was set up for",
    ],
    remedies: ["free the resource that the message names; waiting requests are retried by themselves"],
  },
  "NL-009": {
    title: "the state does not allow it",
    means: "The request is right, but another step has to come first.",
    causes: ["a part that it needs is not set up", "the object that it would change is in use"],
    remedies: ["do first what the hint says"],
  },
  "NL-010": {
    title: "interrupted by another operation",
    means: "Another operation changed the same object meanwhile. All changes of this operation were undone.",
    causes: [
      "two processes change the same object",
      "the worker that calls the kernel ended and was replaced",
    ],
    remedies: ["run it again"],
  },
  "NL-012": {
    title: "not supported",
    means: "This netloom, this kernel, or the program at the other side cannot do that.",
    causes: ["versions differ", "another program supports only a part of the protocol"],
    remedies: ["netloom version and netloom doctor show what this host supports"],
  },
  "NL-013": {
    title: "a fault of the program",
    means: "An unexpected error: a fault of netloom, or of the program at the other side.",
    causes: ["a bug"],
    remedies: [
      "run it again with NETLOOM_DEBUG=1, which adds the stack, and report it",
      "if the message points to the other side, its log has the details",
    ],
  },
  "NL-014": {
    title: "unavailable",
    means: "A station that the request needs does not run yet. Waiting requests are retried.",
    causes: ["a host is down, or is starting", "a registration has a URL where no process listens any more"],
    remedies: ["netloom status shows what is waiting, and why", "start what is missing"],
  },
  "NL-016": {
    title: "not authenticated",
    means: "The caller has not proven who it is.",
    causes: [
      "it sends no token, an expired one, or one for another process",
      "the clocks of the hosts differ",
    ],
    remedies: ["check the caller's identity, and the clocks"],
  },
  "NL-101": {
    title: "a file cannot be read",
    means: "A file of the command line does not exist, or cannot be read.",
    causes: ["a path is misspelt or relative to another folder", "it belongs to another user"],
    remedies: ["name a YAML file; for netloom apply, diff and delete - is the standard input"],
  },
  "NL-102": {
    title: "a file is wrong",
    means: "Every line of the message is one mistake, with its place. Nothing was changed.",
    causes: [
      "a key or kind is unknown",
      "a value has the wrong type",
      "two parts of the file contradict each other",
      "it is a file of release 0.1.0",
    ],
    remedies: [
      "correct the named places; netloom lab validate and netloom diff check a file and change nothing",
      "netloom migrate converts files of release 0.1.0",
      "with the JSON schema of netloom schema, an editor shows mistakes at once",
    ],
  },
  "NL-103": {
    title: "needs root",
    means: "Netloom makes network devices and namespaces, and only root may do so.",
    causes: [
      "the command was run by another user",
      "a container lacks CAP_NET_ADMIN, CAP_SYS_ADMIN or CAP_BPF",
    ],
    remedies: ["run it with sudo", "netloom doctor lists what is missing, and how to get it"],
  },
  "NL-104": {
    title: "the command line is wrong",
    means:
      "A command, an option or an argument is unknown, missing or not one of its choices. Nothing was done.",
    causes: ["a word is misspelt", "an option belongs to another command, or comes before the command"],
    remedies: ["netloom --help lists the commands, netloom <command> --help what each takes"],
  },
  "NL-105": {
    title: "the operating system refuses",
    means: "The operating system refused an operation; the message has the path and the reason.",
    causes: [
      "a file system is mounted read-only (EROFS), or full (ENOSPC)",
      "too many files are open (EMFILE), or a folder does not exist (ENOENT)",
    ],
    remedies: ["make the named place writable, or free space there; then run it again"],
  },
  "NL-201": {
    title: "the agent does not answer",
    means: "The command talks to the agent of this host over a unix socket, and no process listens there.",
    causes: [
      "no agent runs on this host (ENOENT, ECONNREFUSED)",
      "it listens on another socket",
      "this user may not open the socket (EACCES)",
    ],
    remedies: [
      "start it: sudo netloom agent",
      "name its socket: --agent unix:///path, or NETLOOM_AGENT",
      "in a lab: --lab <lab> --host <host>",
      "wires that are up stay up without an agent",
    ],
  },
  "NL-202": {
    title: "the name is ambiguous",
    means: "Several objects have the name, or a lab has several hosts.",
    causes: ["attachments of two kinds have the same name", "--lab was given without --host"],
    remedies: [
      "write Kind/name, as in NetworkServiceClient/web",
      "add --host, or write alpha/web/nsm-1 for a wire",
    ],
  },
  "NL-203": {
    title: "no such attachment or wire",
    means: "The agent does not have the requested attachment or wire.",
    causes: ["the name is misspelt", "it is on another host: each agent knows only its own"],
    remedies: ["netloom get and netloom status list the names"],
  },
  "NL-204": {
    title: "another agent is here",
    means:
      "Only one agent can use a network namespace, a state folder or a folder of pins: a second agent would take over the " +
      "first one's wires and remove them, or confuse their devices. A lock is released when its process ends in any way.",
    causes: [
      "an agent runs already: as a service, in a container with the host's network, or by hand",
      "two agents have the same --state-dir or --bpffs, or both have the default",
      "a program that is not an agent holds the lock; the message names its user",
    ],
    remedies: [
      "end the process that the message names",
      "for a second host on one machine: another network namespace, with a --state-dir and a --bpffs of its own",
    ],
  },
  "NL-205": {
    title: "the agent's stored documents are damaged",
    means:
      "The file `wish` in the state folder holds the attachments of a host and the ids of their wires. Its first line has its " +
      "length and checksum, and they do not match. The agent refuses the whole file: with only some of the attachments it " +
      "would remove the wires of the others.",
    causes: [
      "the disk was full or has failed, or the file was edited or copied in part",
      "it was written by another version of netloom",
    ],
    remedies: [
      "restore a copy of the file",
      "move the file away, start the agent, and apply the attachments again: the agent takes over the wires that are up",
      "until then all wires stay as they are, and carry packets",
    ],
  },
  "NL-301": {
    title: "the registry does not answer",
    means: "No registry answers. Services that this host requested before are still known.",
    causes: ["the registry is down, or cannot be reached from here", "the agent has a wrong address"],
    remedies: [
      "netloom status shows the registry, and for how long it has not answered",
      "start it: netloom registry; agents connect to it again by themselves",
    ],
  },
  "NL-302": {
    title: "no such network service",
    means: "The registry does not know a service of that name.",
    causes: [
      "the name is misspelt",
      "no document describes it (kind: NetworkService) or offers it (kind: NetworkServiceProvider) yet",
      "the registry started again without a file (--store), and its providers have not registered again",
    ],
    remedies: ["netloom get services lists them", "offer it: netloom expose <workload> <service>"],
  },
  "NL-303": {
    title: "no endpoint for this client",
    means: "The service exists, but none of its endpoints is for a client with these labels.",
    causes: [
      "no endpoint offers the service now",
      "the service's matches lead to none of its endpoints for these labels",
      "the client requests an endpoint by name, and this endpoint does not exist",
    ],
    remedies: [
      "netloom why <client> <service> shows how each endpoint was judged",
      "start an endpoint, or change labels",
    ],
  },
  "NL-304": {
    title: "no forwarder",
    means: "The manager found the service, but no forwarder on this host that can make the wire.",
    causes: [
      "a forwarder in a process of its own has ended",
      "the service's match requires a forwarder with labels that none of this host has",
    ],
    remedies: ["netloom status; the log of the agent", "check metadata.labels in the service's matches"],
  },
  "NL-305": {
    title: "it belongs to another peer",
    means:
      "A name in the registry, the name of a host, or the id of a wire belongs to the peer that took it first.",
    causes: [
      "two hosts have the same name: machines made from one image, for example",
      "two hosts use the same name for a service or an endpoint",
      "a host has a new address, and the registration of the old one has not expired yet",
    ],
    remedies: [
      "choose another name; for a host: `netloom agent --name`",
      "unregister it where it was registered, or wait until it has expired",
    ],
  },
  "NL-306": {
    title: "the registry's file cannot be used",
    means:
      "A registry keeps its registrations in one file of its own. It uses the whole file or nothing of it: a missing registration " +
      "would count as unregistered.",
    causes: [
      "--store names a file of another program",
      "a newer netloom wrote it",
      "a disk error or an incomplete copy damaged it",
      "it was deleted, moved or replaced while the registry ran",
    ],
    remedies: [
      "name another file with --store",
      "move it away and start the registry: hosts register their endpoints again within seconds",
      "while the registry runs: put it back, or start the registry again; until then it answers queries, and accepts no changes",
    ],
  },
  "NL-307": {
    title: "another payload",
    means: "The service exists, but has another payload than the requested one.",
    causes: ["a client names a payload (IP or ETHERNET) that is not the one of the service"],
    remedies: ["request the service's payload, or none: then the service decides"],
  },
  "NL-401": {
    title: "the kernel refuses",
    means:
      "The kernel did not take one operation; all others of the same change were undone. The message has the operation " +
      "and the kernel's reason (its errno).",
    causes: [
      "EEXIST: a device or route of another program has the name or the address",
      "ENODEV, ENOENT: a device or namespace went away meanwhile",
      "ENOBUFS, ENOMEM: the kernel has no room",
    ],
    remedies: ["follow the hint; attachments are retried by themselves"],
  },
  "NL-402": {
    title: "the kernel cannot",
    means: "The running kernel lacks a feature that the operation needs.",
    causes: ["it is too old", "a module is not loaded or not built"],
    remedies: ["netloom doctor names the feature, the version that has it, and the module"],
  },
  "NL-403": {
    title: "no common mechanism",
    means: "Client, forwarder and endpoint have no mechanism in common.",
    causes: ["another program's client requests an unsupported mechanism (docs/reference/nsm.md)"],
    remedies: ["request kernel://service/interface", "check what the other program supports"],
  },
  "NL-404": {
    title: "no address for tunnels",
    means: "Each host of a wire needs an address of one family that the other host can reach.",
    causes: [
      "the agent was started without --tunnel-ip",
      "the host does not have the address yet, or no longer: see netloom status of both hosts",
      "one host has an IPv4 and the other an IPv6 address",
    ],
    remedies: ["give the agent its address in the underlay (--tunnel-ip), and the host the address"],
  },
  "NL-405": {
    title: "different ports for tunnels",
    means: "A tunnel of this type needs one UDP port, and its two hosts use different ones.",
    causes: ["one agent was started with another port"],
    remedies: ["start all agents with the same port"],
  },
  "NL-406": {
    title: "the other side's answer is invalid",
    means:
      "The next station's answer breaks the protocol, or requests something that would harm this host. It was dropped, " +
      "and the connection was closed on both sides.",
    causes: ["an endpoint or forwarder of another program has a fault", "an attack"],
    remedies: ["netloom describe <wire> has the path: see the log of the station after this one"],
  },
  "NL-407": {
    title: "the path leads back",
    means: "The next hop of a request is its previous hop, or a function that it has already passed.",
    causes: [
      "two processes have the same name",
      "a registration has the URL of another process",
      "the matches of a service lead from a function to itself, directly or through others",
    ],
    remedies: [
      "give every manager, forwarder, endpoint and client a name of its own",
      "before the match that leads to the function, add one whose source_selector has the function's labels and whose routes lead to the next station",
    ],
  },
  "NL-408": {
    title: "the endpoint asks for more than the client allows",
    means:
      "The endpoint's answer has a value that this client does not accept. Nothing of it was made; another endpoint is " +
      "tried, if one exists.",
    causes: [
      "a route outside of the client's acceptRoutes",
      "an address inside of its excludedPrefixes",
      "an MTU above its mtu",
    ],
    remedies: [
      "if the value is right, let the client accept it: change the key that the message names",
      "if not, change what the endpoint gives: routes, policyRoutes, pools, mtu of the provider",
    ],
  },
  "NL-409": {
    title: "the host would be cut off",
    means:
      "The workload is the network namespace of the host itself. There an agent makes wires only with --allow-host-workload, and " +
      "never one whose addresses, routes or policies would redirect packets for the registry or for the other end of a tunnel.",
    causes: [
      "a workload is named by a process of the host (pid: 1), or by a path that leads to the host's own namespace",
      "the service gives a default route, or one that covers the network between the hosts",
    ],
    remedies: [
      "give the workload a network namespace of its own",
      "if the host is meant: netloom agent --allow-host-workload, and routes without the network between the hosts",
    ],
  },
  "NL-410": {
    title: "the MTU is too small",
    means: "The wire's MTU is below the minimum of its address family: 1280 bytes for IPv6, 68 for IPv4.",
    causes: [
      "the client or the provider has a small mtu",
      "the path between the hosts leaves too few bytes for a tunnel in one direction: see netloom describe <wire>",
    ],
    remedies: [
      "set a larger mtu, or none, where the hint says",
      "set a larger MTU between the hosts, or use only IPv4 pools",
    ],
  },
  "NL-411": {
    title: "the device cannot be a port",
    means: "A port is an existing device. It does not change; all its frames belong to its wire.",
    causes: [
      "it is a member of a bridge, or this host uses it itself (it has an address)",
      "its frames have no MAC addresses, or bypass it (macvtap)",
      "it is in another namespace than the agent, or has a wire already",
    ],
    remedies: ["follow the hint", "name another device: netloom connect port:tap0 <service>"],
  },
  "NL-501": {
    title: "no free address",
    means: "The pool of the endpoint has no free pair of addresses for one more wire.",
    causes: [
      "the pool is too small: a /24 has room for 128 wires",
      "the client's workload has networks that overlap the pool; those parts are left out",
      "addresses of lost wires are kept for their owners for a minute",
    ],
    remedies: [
      "give the endpoint a larger pool, or one more of the same family",
      "exclude less, close wires",
    ],
  },
  "NL-502": {
    title: "an address is in use",
    means:
      "An end of the wire already has an address or a route that the endpoint gave twice. Nothing was made.",
    causes: [
      "another wire of the same workload has that address, and the endpoint ignores excluded prefixes",
      "it is in the workload's own network: an address, a network on one of its links, or a gateway",
      "two services give one workload the same route",
    ],
    remedies: ["give the two endpoints different pools, or the two services different routes"],
  },
  "NL-601": {
    title: "the lab is not up",
    means: "This machine has no lab of that name, or its last `up` was interrupted.",
    causes: ["it was never brought up, or was removed", "the name is misspelt"],
    remedies: ["netloom lab status lists the labs", "netloom lab up <file>"],
  },
  "NL-602": {
    title: "the lab is being changed",
    means: "Another process changes the same lab.",
    causes: ["netloom lab up or down runs elsewhere"],
    remedies: ["wait for it, or end it; the lock is released with the process"],
  },
  "NL-603": {
    title: "the lab's name is taken",
    means: "Objects of that name exist, and this command did not make them.",
    causes: ["another lab has the same name", "a killed run has left namespaces behind"],
    remedies: ["netloom lab down <name> removes it", "give the lab another name"],
  },
  "NL-701": {
    title: "no process answers at the address",
    means: "No process listens at the address, or it cannot be reached.",
    causes: [
      "the process has ended, or has not started yet (ECONNREFUSED, ENOENT)",
      "a firewall blocks the connection (ETIMEDOUT, EHOSTUNREACH)",
      "the address is wrong",
    ],
    remedies: ["check that the process runs, and its address; waiting requests are retried by themselves"],
  },
  "NL-702": {
    title: "the address is in use",
    means: "Another process listens at the address.",
    causes: ["an agent or registry runs already", "another program has the port"],
    remedies: ["end the other process: ss -lptn shows it", "choose another address"],
  },
  "NL-703": {
    title: "plaintext is not allowed",
    means: "A process without an identity sends and serves nothing over the network.",
    causes: [`no identity was chosen: ${IDENTITIES.map(({ option }) => option.flags).join(", ")}`],
    remedies: IDENTITIES.map(({ hint }) => hint),
  },
};
