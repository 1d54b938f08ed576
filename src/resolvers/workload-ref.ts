/** Queries about a workload name, answered by its resolver. */
import { type FilePath, type Finding, listed } from "../text/problem.ts";
import type { AskedHost, Found, Lookout, Outside, Resolver, WorkloadRef, Written } from "./resolver.ts";
import { RESOLVERS } from "./resolvers.ts";

/** Equal for names that refer to the same place, whatever the order of keys and the resolver. */
export function workloadKey(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.key(value);
}

/** The name as people write it: `/run/netns/web`, `pid 4711`. */
export function workloadText(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.text(value);
}

/** The type of thing that the name refers to once it exists. */
export function leadsTo(ref: WorkloadRef): Found["type"] {
  return resolverOf(ref).resolver.leadsTo;
}

/** The name of the workload on its host: `web`. */
export function workloadLabel(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.label(value);
}

/** The problems of a name of the right shape at `path` of a document. */
export function checkWorkload(ref: WorkloadRef, path: FilePath): Finding[] {
  const { resolver, value } = resolverOf(ref);
  const message = resolver.problem(value);
  return message === undefined ? [] : [{ path: [...path, resolver.type], message }];
}

export function watchWorkload(ref: WorkloadRef, outside: Outside): Lookout {
  const { resolver, value } = resolverOf(ref);
  return resolver.watch(value, outside);
}

/** Looks a name up once. Rejects with the reason if it refers to nothing: NOT_FOUND if nothing is at its place. */
export async function resolveWorkload(ref: WorkloadRef, outside: Outside): Promise<Found> {
  const lookout = watchWorkload(ref, outside);
  try {
    return await lookout.look();
  } finally {
    lookout.close();
  }
}

/** Equal for the same namespace, or the same device, until it ends: the numbers alone may be reused. */
export function identityKey(found: Found): string {
  const { netns, cookie } = found.identity;
  return found.type === "netns"
    ? `${netns} ${cookie}`
    : `${netns} ${cookie} ${found.device} ${found.ifindex}`;
}

/** Parses a name on the command line; `undefined` if no resolver reads it. */
export function readWorkloadText(
  text: string,
  asked: AskedHost,
): (Omit<Written<unknown>, "value"> & { readonly ref: WorkloadRef }) | undefined {
  const all = RESOLVERS.flatMap(({ type, spellings }) => spellings.map((spelling) => ({ type, spelling })));
  const first = all.filter(({ spelling }) => spelling.isLast !== true);
  for (const { type, spelling } of [...first, ...all.filter((each) => !first.includes(each))]) {
    const written = spelling.read(text, asked);
    if (written) return { ref: { [type]: written.value }, ...(written.at && { at: written.at }) };
  }
  return undefined;
}

/** The forms for help: `/run/netns/web, web, pid:4711, lab/host/workload or port:tap0`; with `isLong` explained. */
export function workloadForms(example: string, { isLong = false } = {}): string {
  const forms = RESOLVERS.flatMap(({ spellings }) => spellings).map(({ form, about }) =>
    isLong && about !== undefined ? `${form(example)} (${about})` : form(example),
  );
  return listed(forms);
}

function resolverOf(ref: WorkloadRef): { readonly resolver: Resolver; readonly value: unknown } {
  const resolver = RESOLVERS.find(({ type }) => Object.hasOwn(ref, type));
  if (!resolver) throw new TypeError(`no resolver reads ${JSON.stringify(ref)}: not a checked document`);
  return { resolver, value: ref[resolver.type] };
}
