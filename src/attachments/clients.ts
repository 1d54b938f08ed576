/**
 * Client roles, by the workload's name, which is the first segment of their paths. A role has one monitor for all
 * connections of the workload. The roles share nothing else: two names of one workload may have a role each.
 */
import type { ConnectionRole } from "../roles/role.ts";
import type { ClientNews } from "../roles/client.ts";
import type { AgentParts } from "./parts.ts";
import type { Workload } from "./workloads.ts";

/** The requesting workload: its name in the mesh, and its label on this host. */
type ClientPlace = Pick<Workload, "name" | "label">;

export interface UsedClient {
  readonly role: ConnectionRole;
  release(): void;
}

interface Used {
  readonly role: ConnectionRole;
  readonly listeners: Map<string, (news: ClientNews) => void>;
}

export class Clients {
  readonly #parts: AgentParts;
  readonly #used = new Map<string, Used>();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** The role of a workload. `onNews` is called with each event of the connection `id`. */
  use({ name, label }: ClientPlace, id: string, onNews: (news: ClientNews) => void): UsedClient {
    const used = this.#used.get(name) ?? this.#make(name, label);
    this.#used.set(name, used);
    used.listeners.set(id, onNews);
    return {
      role: used.role,
      release: () => {
        if (used.listeners.get(id) === onNews) used.listeners.delete(id);
        if (used.listeners.size === 0 && this.#used.get(name) === used) this.#used.delete(name);
      },
    };
  }

  #make(name: string, workload: string): Used {
    const listeners = new Map<string, (news: ClientNews) => void>();
    const onNews = (news: ClientNews): void => listeners.get(news.id)?.(news);
    const role = this.#parts.newClient({ name, workload, onNews });
    return { role, listeners };
  }
}
