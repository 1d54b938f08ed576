/** A name by which a host may be called in a URL: labels of letters, digits and hyphens (RFC 1123 section 2.1). */
export function isHostName(text: string): boolean {
  const labels = text.split(".");
  const isLabel = (label: string): boolean => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label);
  // What ends with a number is an address, or none.
  return text.length <= 253 && labels.every(isLabel) && !/^[0-9]+$/.test(labels.at(-1) ?? "");
}
