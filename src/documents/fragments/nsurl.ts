/**
 * The address of a service as upstream writes it: `kernel://service[@domain][/interface][?label=value&…]`
 * Upstream: sdk/pkg/tools/nsurl, cmd-nsc's NSM_NETWORK_SERVICES
 */

/** The parts of an address. */
export interface NsUrl {
  /** In lower case: `kernel`. */
  readonly mechanism: string;
  /** `shop`, `shop@other.domain` */
  readonly service: string;
  /** Empty if the address names no interface. */
  readonly interface: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type NsUrlResult =
  | { readonly ok: true; readonly url: NsUrl }
  /** The problem, as a sentence without its full stop. */
  | { readonly ok: false; readonly problem: string };

/** Whether the text is meant as an address, not as the plain name of a service. */
export function isNsUrl(text: string): boolean {
  return text.includes("://");
}

const MAX_BYTES = 4096;
const SHAPE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/** Reads an address. If a label appears twice, the first one counts, as upstream. */
export function parseNsUrl(text: string): NsUrlResult {
  if (text.length > MAX_BYTES) return refuse(`the address is longer than ${MAX_BYTES} characters`);
  const [, scheme = "", authority = "", path = "", query = ""] = SHAPE.exec(text) ?? [];
  if (scheme === "") return refuse("expected mechanism://service/interface?label=value");
  const service = decode(authority, false);
  if (service === undefined) return refuse("the service's name has a % without two hexadecimal digits");
  const problem = serviceNameProblem(service);
  if (problem !== undefined) return refuse(problem);
  const name = decode(path, false);
  if (name === undefined) return refuse("the interface's name has a % without two hexadecimal digits");
  const labels = new Map<string, string>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const at = part.indexOf("=");
    const key = decode(at < 0 ? part : part.slice(0, at), true);
    const value = decode(at < 0 ? "" : part.slice(at + 1), true);
    if (key === undefined || value === undefined)
      return refuse("a label has a % without two hexadecimal digits");
    if (key === "") return refuse("a label has no name");
    if (key === "__proto__") return refuse('a label cannot be called "__proto__"');
    if (!labels.has(key)) labels.set(key, value);
  }
  return {
    ok: true,
    url: { mechanism: scheme.toLowerCase(), service, interface: name, labels: Object.fromEntries(labels) },
  };
}

/** The address as text, with reserved characters escaped: `parseNsUrl` reads the same address from it. */
export function formatNsUrl(url: NsUrl): string {
  const query = Object.entries(url.labels)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join("&");
  const service = url.service.split("@").map(encodeURIComponent).join("@");
  const name = url.interface === "" ? "" : `/${encodeURIComponent(url.interface)}`;
  return `${url.mechanism}://${service}${name}${query === "" ? "" : `?${query}`}`;
}

/** The problem with a service's name, `service` or `service@domain`; `undefined` if it is valid. */
export function serviceNameProblem(service: string): string | undefined {
  if (service === "" || service.startsWith("@") || service.endsWith("@")) return "no service is named";
  if (service.split("@").length > 2) return "the service's name has more than one @";
  if (service.length > 256) return "the service's name is longer than 256 characters";
  if (!service.isWellFormed()) return "the service's name is not text";
  // Characters with a meaning of their own in a terminal, a path or an address.
  return /[\p{Cc}\s/?#:]/u.test(service)
    ? "the service's name contains a blank, a control character or one of / ? # :"
    : undefined;
}

function refuse(problem: string): NsUrlResult {
  return { ok: false, problem };
}

function decode(text: string, plusIsBlank: boolean): string | undefined {
  try {
    return decodeURIComponent(plusIsBlank ? text.replaceAll("+", " ") : text);
  } catch {
    return undefined;
  }
}
