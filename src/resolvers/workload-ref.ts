/** What is known of a name by asking its resolver, whichever that is. */
import { type FilePath, type Finding, listed } from "../text/problem.ts";
import type { AskedHost, Found, Lookout, Outside, Resolver, WorkloadRef, Written } from "./resolver.ts";
import { RESOLVERS } from "./resolvers.ts";

/** Equal for names that lead to the same place, whatever the order of keys and the resolver. */
export function workloadKey(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.key(value);
}

/** As people write it: `/run/netns/web`, `pid 4711`. */
export function workloadText(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.text(value);
}

/** What the name leads to, as soon as something is there. */
export function leadsTo(ref: WorkloadRef): Found["type"] {
  return resolverOf(ref).resolver.leadsTo;
}

/** `web`: the name of the workload on its host. */
export function workloadLabel(ref: WorkloadRef): string {
  const { resolver, value } = resolverOf(ref);
  return resolver.label(value);
}

/** What is wrong with a name of the right shape that stands at `path`. */
export function checkWorkload(ref: WorkloadRef, path: FilePath): Finding[] {
  const { resolver, value } = resolverOf(ref);
  const message = resolver.problem(value);
  return message === undefined ? [] : [{ path: [...path, resolver.type], message }];
}

export function watchWorkload(ref: WorkloadRef, outside: Outside): Lookout {
  const { resolver, value } = resolverOf(ref);
  return resolver.watch(value, outside);
}

/** What the name leads to now. Rejects with the reason if that is nothing: NOT_FOUND where nothing is at its place. */
export async function resolveWorkload(ref: WorkloadRef, outside: Outside): Promise<Found> {
  const lookout = watchWorkload(ref, outside);
  try {
    return await lookout.look();
  } finally {
    lookout.close();
  }
}

/** Equal for one namespace, or one device, until it ends: a number alone may be another one's tomorrow. */
export function identityKey(found: Found): string {
  const { netns, cookie } = found.identity;
  return found.type === "netns"
    ? `${netns} ${cookie}`
    : `${netns} ${cookie} ${found.device} ${found.ifindex}`;
}

/** The name that `text` writes on the command line; `undefined` if no resolver reads it. */
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

/** `/run/netns/web, web, pid:4711, lab/host/workload or port:tap0`, for help; with `isLong` what the forms mean is added. */
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
