/** One client role for each workload that asks for something. */
import type { AgentParts, News, Role } from "./parts.ts";
import type { Workload } from "./workloads.ts";

export interface ClientOfWorkload {
  readonly role: Role;
  release(): void;
}

interface Used {
  readonly role: Role;
  readonly listeners: Map<string, (news: News) => void>;
}

export class Clients {
  readonly #parts: AgentParts;
  readonly #used = new Map<string, Used>();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** `onNews` is called with what becomes of the connection `id`. */
  use({ key, name }: Workload, id: string, onNews: (news: News) => void): ClientOfWorkload {
    const used = this.#used.get(key) ?? this.#make(name);
    this.#used.set(key, used);
    used.listeners.set(id, onNews);
    return {
      role: used.role,
      release: () => {
        if (used.listeners.get(id) === onNews) used.listeners.delete(id);
        if (used.listeners.size === 0 && this.#used.get(key) === used) this.#used.delete(key);
      },
    };
  }

  #make(name: string): Used {
    const listeners = new Map<string, (news: News) => void>();
    const role = this.#parts.newClient({ name, onNews: (news) => listeners.get(news.id)?.(news) });
    return { role, listeners };
  }
}
