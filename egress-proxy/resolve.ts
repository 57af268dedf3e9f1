/** Names and their addresses. The system resolves a name in a thread, which a name that is answered slowly keeps. */
import { lookup } from 'node:dns/promises';

/** Finds every address of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** With EGRESS_THREADS threads, a task that asks for slow names leaves most of them to the others. */
const MAX_OF_ONE = 8;

export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** Resolves at most some names at once for each asker; the others wait. */
export function resolveFairly(resolve: Resolve, maxOfOne = MAX_OF_ONE) {
  const running = new Map<string, Set<Promise<unknown>>>();
  return async function resolveFor(asker: string, host: string): Promise<readonly string[]> {
    const own = running.get(asker) ?? new Set();
    while (own.size >= maxOfOne) await Promise.race(own);
    const answer = resolve(host);
    const settled = answer
      .catch(() => undefined)
      .finally(() => {
        own.delete(settled);
        if (own.size === 0 && running.get(asker) === own) running.delete(asker);
      });
    running.set(asker, own.add(settled));
    return answer;
  };
}
