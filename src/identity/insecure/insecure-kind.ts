/** Nobody proves anything, and every peer is trusted in what it says about itself: for labs, and behind sockets of one's own. */
import type { Credentials } from "../../world/credentials.ts";
import type { IdentityKind } from "../identity-kind.ts";

const PROOF = { kind: "none" } as const;

export const insecureCredentials: Readonly<Credentials> = {
  name: "insecure",
  announcement: "in plaintext (insecure): whoever reaches it is believed what it says",
  current: () => PROOF,
};

export const insecureKind: Readonly<IdentityKind> = {
  name: "insecure",
  option: {
    flags: "--insecure",
    description: "plaintext, and peers that are believed what they say: for labs and own sockets",
  },
  hint: "allow plaintext with --insecure, in a lab or behind sockets of your own",
  load: async () => (await import("./insecure.ts")).insecure,
};
