/** Servers as policies write them. Cedar compares names letter by letter, and a server has one name. */
import { entitiesOf, type NamedPolicy } from '#core/policy/policy-set.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

const TYPE = 'MA::McpServer';

/** What is wrong with a policy's servers: one written in another form fits no call, and a forbid would forbid nothing. */
export function strayServers(policy: NamedPolicy): readonly string[] {
  return entitiesOf(policy, TYPE).flatMap((url) => {
    const canonical = canonicalServerUrl(url);
    if (canonical === url) return [];
    // It may hold a password, so it is not repeated.
    if (canonical === null) return [`${TYPE}: must be an http or https URL without user and password`];
    return [`${literal(url)} is the name of no server: write ${literal(canonical)}`];
  });
}

function literal(url: string): string {
  return `${TYPE}::${JSON.stringify(url)}`;
}
