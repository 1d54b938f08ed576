/** The payload of a wire. Upstream: api/pkg/api/networkservice/payload */
export const PAYLOAD_ETHERNET = "ETHERNET";
export const PAYLOAD_IP = "IP";
