export { LAB_NAME_PART, WORKLOAD_NAME } from "../../resolvers/lab/places.ts";

/** The largest length of a device name: IFNAMSIZ less the final zero. */
export const INTERFACE_NAME_BYTES = 15;
