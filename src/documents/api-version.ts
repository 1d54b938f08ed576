/** Groups of documents, each with the version that this release reads. */

/** Netloom's own kinds. */
export const API_VERSION = "netloom.dev/v1alpha1";

/** Kinds that upstream defines. Upstream: registry-k8s, apis/networkservicemesh.io/v1 */
export const UPSTREAM_API_VERSION = "networkservicemesh.io/v1";

/** Kinds of a lab file that no agent reads. */
export const LAB_KINDS: readonly string[] = ["Lab", "Wire"];

/** The annotation that names the host of a document in a lab, where the document has no workload. */
export const HOST_ANNOTATION = "netloom.dev/host";
