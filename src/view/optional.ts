/** An object with one key, or without it if the value is undefined or an empty text. */
export function optional<K extends string, V>(
  key: K,
  value: V | undefined,
): { readonly [P in K]?: Exclude<V, undefined> } {
  return value === undefined || value === ""
    ? {}
    : ({ [key]: value } as { readonly [P in K]: Exclude<V, undefined> });
}
