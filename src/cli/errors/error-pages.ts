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
    means: "Whoever waited for the answer went away, or told the operation to stop, before it was done.",
    causes: [
      "a signal ended the command",
      "the agent was stopped",
      "an attachment was changed or removed while its wire was being made",
    ],
    remedies: ["nothing: what was begun has been undone, or is undone by the next refresh", "run it again"],
  },
  "NL-003": {
    title: "the request is wrong",
    means: "What was asked for can never work as it is written, whatever the state of the mesh.",
    causes: [
      "a value is out of its range, a name has the wrong form, or two values contradict each other",
      "a program that speaks the protocol sends a message that breaks its rules",
    ],
    remedies: [
      "correct what the message names; nothing was changed",
      "for a message of another program: see docs/reference/glossary.md for the words, and its own log",
    ],
  },
  "NL-004": {
    title: "no answer in time",
    means:
      "The time for the operation was over before the answer came. The other side may have done it nevertheless.",
    causes: [
      "a station on the path is overloaded, or stopped by a debugger",
      "packets between the hosts are lost",
      "the endpoint takes longer than its client is willing to wait",
    ],
    remedies: [
      "wait: an attachment is tried again by itself",
      "netloom status on each host on the path says which one does not answer",
    ],
  },
  "NL-005": {
    title: "it does not exist",
    means: "What the message names does not exist, or does not exist any more.",
    causes: ["a name is misspelt", "it was removed meanwhile", "it is on another host"],
    remedies: ["netloom get lists what is wanted on this host, netloom status what is there"],
  },
  "NL-006": {
    title: "it exists already",
    means: "Something of that name is there, and it is not ours to replace.",
    causes: ["another program made it", "an earlier run under another name made it"],
    remedies: ["choose another name, or remove what is in the way"],
  },
  "NL-007": {
    title: "not permitted",
    means: "The caller may not do this, although it may be right in itself.",
    causes: ["it belongs to another peer", "the caller has no right to the socket or the file"],
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
    remedies: ["make room where the message says; what waits is tried again by itself"],
  },
  "NL-009": {
    title: "the state does not allow it",
    means: "The request is right, but something else has to be done first.",
    causes: ["a part that it needs is not set up", "what it would change is in use"],
    remedies: ["do first what the hint says"],
  },
  "NL-010": {
    title: "interrupted by another operation",
    means: "Another operation on the same thing came between. All of this one was undone.",
    causes: [
      "two processes change the same thing",
      "the worker that speaks to the kernel died and was replaced",
    ],
    remedies: ["run it again"],
  },
  "NL-012": {
    title: "not supported",
    means: "This netloom, this kernel, or the program at the other side cannot do that.",
    causes: ["versions differ", "a stranger's program offers a part of the protocol only"],
    remedies: ["netloom version and netloom doctor say what is here"],
  },
  "NL-013": {
    title: "a fault of the program",
    means: "Something happened that cannot happen: a fault of netloom, or of the program at the other side.",
    causes: ["a bug"],
    remedies: [
      "run it again with NETLOOM_DEBUG=1, which adds the stack, and report it",
      "if the message says so, the log of the other side has the rest",
    ],
  },
  "NL-014": {
    title: "unavailable",
    means:
      "A station that is needed is not there, or is not there yet. What waits for it is tried again by itself.",
    causes: ["a host is down, or starts", "a registration points to where nobody is any more"],
    remedies: ["netloom status says what waits for what", "start what is missing"],
  },
  "NL-016": {
    title: "not authenticated",
    means: "The caller has not proven who it is.",
    causes: ["it sends no token, or one that is over or for somebody else", "the clocks of the hosts differ"],
    remedies: ["check the caller's identity, and the clocks"],
  },
  "NL-101": {
    title: "a file cannot be read",
    means: "A file that the command line names is not there, or may not be read.",
    causes: ["a path is misspelt or relative to another folder", "it belongs to another user"],
    remedies: ["name a YAML file; - is the standard input where netloom apply, diff or delete ask for one"],
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
      "correct the places that are named; netloom lab validate and netloom diff look without touching anything",
      "netloom migrate converts files of release 0.1.0",
      "the JSON schema that netloom schema prints makes editors complain at once",
    ],
  },
  "NL-103": {
    title: "needs root",
    means: "Netloom makes network devices and namespaces, which only root may.",
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
    means:
      "The operating system refused to read, write or start something; the message has what, where and its reason.",
    causes: [
      "a file system is mounted read-only (EROFS), or full (ENOSPC)",
      "too many files are open (EMFILE), or a folder is not there (ENOENT)",
    ],
    remedies: ["make the place that is named writable, or make room; then run it again"],
  },
  "NL-201": {
    title: "the agent does not answer",
    means: "The command talks to the agent of this host over a unix socket, and nobody listens there.",
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
    means: "A name stands for several things, or a lab has several hosts.",
    causes: ["attachments of two kinds have the same name", "--lab was given without --host"],
    remedies: ["say Kind/name, as in NetworkServiceClient/web", "say --host, or alpha/web/nsm-1 for a wire"],
  },
  "NL-203": {
    title: "no such attachment or wire",
    means: "The agent was asked for something that it does not have.",
    causes: ["the name is misspelt", "it is on another host: each agent knows its own"],
    remedies: ["netloom get and netloom status list the names"],
  },
  "NL-204": {
    title: "another agent is here",
    means:
      "One agent serves a network namespace, and one works on a state folder and on a folder of pins: a second one would take over the " +
      "first one's wires and remove them, or confuse its devices with its own. The locks end with the process that holds them, however that ends.",
    causes: [
      "an agent runs already: as a service, in a container with the host's network, or by hand",
      "two agents were given one --state-dir or one --bpffs, or none",
      "a program that is no agent holds the name; its user is named then",
    ],
    remedies: [
      "end the process that the message names",
      "for a second host on one machine: another network namespace, with a --state-dir and a --bpffs of its own",
    ],
  },
  "NL-205": {
    title: "the agent's stored documents are damaged",
    means:
      "The file `wish` in the state folder holds the attachments of a host and the ids of their wires, under a line with its " +
      "length and checksum. It does not agree with that line. The agent refuses all of it: with a part of its attachments it " +
      "would remove the wires of the others.",
    causes: [
      "the disk was full or has failed, or the file was edited or copied in part",
      "it was written by another version of netloom",
    ],
    remedies: [
      "put a copy of the file back",
      "move the file away, start the agent, and apply the attachments again: it takes the wires over that are up",
      "until then all wires stay as they are, and carry packets",
    ],
  },
  "NL-301": {
    title: "the registry does not answer",
    means:
      "Nobody could say who offers the service. Services that this host has asked for before are still known.",
    causes: ["the registry is down, or cannot be reached from here", "the agent was given a wrong address"],
    remedies: [
      "netloom status names the registry and since when it has been silent",
      "start it: netloom registry; agents find it again by themselves",
    ],
  },
  "NL-302": {
    title: "no such network service",
    means: "The registry does not know a service of that name.",
    causes: [
      "the name is misspelt",
      "nobody has described it (kind: NetworkService) or offered it (kind: NetworkServiceProvider) yet",
      "the registry was started anew without a file (--store), and whoever offered it has not come back yet",
    ],
    remedies: ["netloom get services lists them", "offer it: netloom expose <workload> <service>"],
  },
  "NL-303": {
    title: "no endpoint for this client",
    means: "The service is known, but no endpoint of it is for a client with these labels.",
    causes: [
      "nobody offers the service now",
      "the service's matches lead to none of its endpoints for these labels",
      "an endpoint was asked for by a name that is not there",
    ],
    remedies: [
      "netloom why <client> <service> tells how each endpoint was judged",
      "start an endpoint, or change labels",
    ],
  },
  "NL-304": {
    title: "no forwarder",
    means: "The manager found the service, but nobody on this host who makes the wire.",
    causes: [
      "a forwarder of its own process has ended",
      "the service's match asks for forwarders with labels that none of this host has",
    ],
    remedies: ["netloom status; the log of the agent", "check metadata.labels in the service's matches"],
  },
  "NL-305": {
    title: "it belongs to somebody else",
    means:
      "A name in the registry, the name of a host, or the id of a wire belongs to the peer that took it first.",
    causes: [
      "two hosts have the same name: machines made from one image, for example",
      "two hosts use the same name for a service or an endpoint",
      "a host has got a new address, and the registration of the old one has not expired yet",
    ],
    remedies: [
      "choose another name; a host has its own with `netloom agent --name`",
      "unregister it where it was registered, or wait until it has expired",
    ],
  },
  "NL-306": {
    title: "the registry's file cannot be used",
    means:
      "A registry keeps what is registered in one file of its own. It uses all of the file or nothing of it: what is missing " +
      "would be taken for unregistered.",
    causes: [
      "--store names a file of another program",
      "a newer netloom has made it",
      "the disk or a copy has damaged it",
      "it was deleted, moved or replaced while the registry ran",
    ],
    remedies: [
      "name another file with --store",
      "move it away and start the registry: hosts register anew what they offer, within seconds",
      "while the registry runs: put it back, or start the registry again; until then it answers, and takes nothing new",
    ],
  },
  "NL-307": {
    title: "another payload",
    means: "The service is there, but carries something else than the client asks for.",
    causes: ["a client names a payload (IP or ETHERNET) that is not the one of the service"],
    remedies: ["ask for the service's payload, or for none: then the service decides"],
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
    remedies: ["follow the hint; then nothing: attachments are tried again by themselves"],
  },
  "NL-402": {
    title: "the kernel cannot",
    means: "The running kernel lacks a feature that this needs.",
    causes: ["it is too old", "a module is not loaded or not built"],
    remedies: ["netloom doctor names the feature, the version that has it, and the module"],
  },
  "NL-403": {
    title: "no common mechanism",
    means: "Client, forwarder and endpoint have no kind of connection in common.",
    causes: ["a stranger's client asks for a mechanism that is not ours (docs/reference/nsm.md)"],
    remedies: ["ask for kernel://service/interface", "check what the other program supports"],
  },
  "NL-404": {
    title: "no address for tunnels",
    means: "A wire between hosts needs an address on each that the other one reaches, of the same family.",
    causes: [
      "the agent was started without --tunnel-ip",
      "the address is not there yet, or no more: netloom status of both hosts says so",
      "one host was given an IPv4 and the other an IPv6 address",
    ],
    remedies: ["give the agent its address in the underlay (--tunnel-ip), and the host the address"],
  },
  "NL-405": {
    title: "different ports for tunnels",
    means:
      "The two hosts of a wire use different UDP ports for a tunnel whose devices need one and the same.",
    causes: ["one agent was started with another port"],
    remedies: ["start all agents with the same port"],
  },
  "NL-406": {
    title: "the other side's answer is invalid",
    means:
      "The next station's answer breaks the protocol, or asks for something that would harm this host. It was dropped, " +
      "and the connection was closed on both sides.",
    causes: ["an endpoint or forwarder of another program has a fault", "somebody tries"],
    remedies: ["netloom describe <wire> has the path: see the log of the station after this one"],
  },
  "NL-407": {
    title: "the path leads back",
    means: "The next hop of a request is where it came from, or a function that it has passed already.",
    causes: [
      "two processes have the same name",
      "a registration has the URL of another process",
      "the matches of a service lead from a function to itself, perhaps by way of others",
    ],
    remedies: [
      "give every manager, forwarder, endpoint and client a name of its own",
      "give the service a match whose source_selector is the function's labels, and whose routes lead on, before the one that leads to it",
    ],
  },
  "NL-408": {
    title: "the endpoint asks for more than the client allows",
    means:
      "The endpoint's answer has something that this client does not take. Nothing of it was made; another endpoint is " +
      "tried, if there is one.",
    causes: [
      "a route outside of the client's acceptRoutes",
      "an address inside of its excludedPrefixes",
      "an MTU above its mtu",
    ],
    remedies: [
      "if it is right, let the client take it: change the key that the message names",
      "if not, change what the endpoint gives: routes, policyRoutes, pools, mtu of the provider",
    ],
  },
  "NL-409": {
    title: "the host would be cut off",
    means:
      "The workload is the network namespace of the host itself. There an agent makes no wires unless it is told so, and never " +
      "one whose addresses, routes or policies would lead the way to the registry or to the other end of a tunnel away.",
    causes: [
      "a workload is named by a process of the host (pid: 1), or by a path that leads to the host's own namespace",
      "the service gives a default route, or one that covers the network between the hosts",
    ],
    remedies: [
      "give the workload a network namespace of its own",
      "if it is meant: netloom agent --allow-host-workload, and routes that leave the network between the hosts out",
    ],
  },
  "NL-410": {
    title: "the MTU is too small",
    means:
      "With what is left of the MTU no packet of the wire's family gets through: IPv6 needs 1280 bytes, IPv4 68.",
    causes: [
      "the client or the provider has a small mtu",
      "the way between the hosts, there or back, leaves too little for a tunnel: see netloom describe <wire>",
    ],
    remedies: [
      "a larger mtu, or none, where the hint says",
      "a larger MTU between the hosts, or pools of IPv4 only",
    ],
  },
  "NL-411": {
    title: "the device cannot be a port",
    means:
      "A port is a device that is there already. It stays as it is: a wire ends in it, and all of its frames are the wire's.",
    causes: [
      "it is a member of a bridge, or this host uses it itself (it has an address)",
      "its frames have no MAC addresses, or leave past it (macvtap)",
      "it is in another namespace than the agent, or has a wire already",
    ],
    remedies: ["what the hint says", "name another device: netloom connect port:tap0 <service>"],
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
      "The endpoint gave an address, or a route, that the workload at one end of the wire has already, and gave it again when it was asked to leave it out; nothing was made.",
    causes: [
      "another wire of the same workload has that address, and the endpoint does not regard excluded prefixes",
      "it is in the workload's own network: an address, a network on one of its links, or a gateway",
      "two services give one workload the same route",
    ],
    remedies: ["give the two endpoints different pools, or the two services different routes"],
  },
  "NL-601": {
    title: "the lab is not up",
    means: "There is no lab of that name on this machine, or its last `up` was cut off.",
    causes: ["it was never brought up, or was removed", "the name is misspelt"],
    remedies: ["netloom lab status lists the labs", "netloom lab up <file>"],
  },
  "NL-602": {
    title: "the lab is being changed",
    means: "Another process changes the same lab.",
    causes: ["netloom lab up or down runs elsewhere"],
    remedies: ["wait for it, or end it; the lock goes with the process"],
  },
  "NL-603": {
    title: "the lab's name is taken",
    means: "Something of that name is there that this command did not make.",
    causes: ["another lab has the same name", "a killed run has left namespaces behind"],
    remedies: ["netloom lab down <name> removes it", "give the lab another name"],
  },
  "NL-701": {
    title: "nobody answers at the address",
    means: "No process listens there, or none is reached.",
    causes: [
      "it has ended, or has not started yet (ECONNREFUSED, ENOENT)",
      "a firewall is between (ETIMEDOUT, EHOSTUNREACH)",
      "the address is wrong",
    ],
    remedies: ["check that it runs, and its address; who waits for it tries again by itself"],
  },
  "NL-702": {
    title: "the address is in use",
    means: "Another process listens there.",
    causes: ["an agent or registry runs already", "another program has the port"],
    remedies: ["end the other one: ss -lptn shows who it is", "choose another address"],
  },
  "NL-703": {
    title: "plaintext is not allowed",
    means: "Without an identity nobody can be believed, so nothing is sent or served over the network.",
    causes: [`none of its ways was asked for: ${IDENTITIES.map(({ option }) => option.flags).join(", ")}`],
    remedies: IDENTITIES.map(({ hint }) => hint),
  },
};
