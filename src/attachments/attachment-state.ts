/** The states of an attachment, in the order in which it usually passes them. */
export type AttachmentState = "waiting" | "requesting" | "up" | "healing" | "failed" | "closing";
