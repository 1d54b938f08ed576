/** All kinds of documents, loaded before anything runs. Code that needs only the words imports kinds.ts, which loads at once. */
import { KINDS } from "./kinds.ts";
import { DocumentTable } from "./table.ts";

export const DOCUMENTS: DocumentTable = await DocumentTable.load(KINDS);
