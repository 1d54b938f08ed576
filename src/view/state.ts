/** How far an attachment or a wire is. Those of a wire are up, down and unclaimed; else it is as its attachment is. */
export type State = "up" | "down" | "unclaimed" | "waiting" | "requesting" | "healing" | "failed" | "closing";
