export { LAB_NAME_PART, WORKLOAD_NAME } from "../../resolvers/lab/places.ts";

/** At most 15 bytes: IFNAMSIZ less the final zero. */
export const INTERFACE_NAME_BYTES = 15;
