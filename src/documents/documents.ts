/** All kinds of documents, loaded while modules are, before anything runs. Those who need words only ask kinds.ts, which is there at once. */
import { KINDS } from "./kinds.ts";
import { DocumentTable } from "./table.ts";

export const DOCUMENTS: DocumentTable = await DocumentTable.load(KINDS);
