/** A key that is left out where there is nothing to say. */
export function optional<K extends string, V>(
  key: K,
  value: V | undefined,
): { readonly [P in K]?: Exclude<V, undefined> } {
  return value === undefined || value === ""
    ? {}
    : ({ [key]: value } as { readonly [P in K]: Exclude<V, undefined> });
}
