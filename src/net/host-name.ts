/** Is this a valid host name in a URL: labels of letters, digits and hyphens (RFC 1123 section 2.1)? */
export function isHostName(text: string): boolean {
  const labels = text.split(".");
  const isLabel = (label: string): boolean => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label);
  // A last label of digits means an IPv4 address or nothing valid.
  return text.length <= 253 && labels.every(isLabel) && !/^[0-9]+$/.test(labels.at(-1) ?? "");
}
