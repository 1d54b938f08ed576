/** Lab, host and router names become parts of namespace names, which hyphens separate, and of interface names. */
export const NODE_NAME = /^[a-z][a-z0-9]{0,11}$/;

/** At most 15 bytes: IFNAMSIZ less the final zero. */
export const INTERFACE_NAME_BYTES = 15;
