/** The state of an attachment or a wire. A wire has its own states up, down and unclaimed; else it has that of its attachment. */
export type State = "up" | "down" | "unclaimed" | "waiting" | "requesting" | "healing" | "failed" | "closing";
