/** Links with which a user lets the session act towards a server. */
import type { OpenCall } from '#contract/entries.ts';
import type { CredentialId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Caller, KnownIdentity, KnownServer } from '#core/mcp/caller.ts';
import type { McpFailure } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

export interface Consent {
  readonly server: KnownServer;
  readonly identity: KnownIdentity;
  /** What the server said of it; null when it was not asked. */
  readonly challenge: Pick<McpFailure, 'scopes' | 'resourceMetadata'> | null;
  /** What goes on by itself afterwards; null for the list of tools. */
  readonly call: Pick<OpenCall, 'id' | 'since'> | null;
}

/** Whose credential it was, or would be. */
export type Holder = Pick<Consent['identity'], 'user' | 'match'>;

/** Whether what keeps the session from a token is the user's to change. */
export function consentHelps({ status }: NoBearer): boolean {
  return status === 'needs_reauth' || status === 'other_user';
}

/** The credential whose token somebody pasted: it is theirs to replace, for a consent would bring one of another kind. */
export function pastedCredential({ match }: Holder): CredentialId | null {
  if (match === null) return null;
  const { id, auth } = match.stored.credential;
  return auth.type === 'mcp_oauth' ? null : id;
}

/** For people, never for the model. Null when no consent could help, or nobody can be asked for it here. */
export async function consentUrl(
  { links, enterprise }: Pick<McpProxyWorld, 'links' | 'enterprise'>,
  { key, workspace, agent }: Caller,
  { server, identity, challenge, call }: Consent,
): Promise<string | null> {
  const { home, managed } = identity;
  // Where the organisation consents, its user can do no more than sign in, and that was not what was missing.
  if (managed !== null && challenge !== null) return null;
  if (home === null || pastedCredential(identity) !== null) return null;
  const link = await links
    .offer({
      workspace,
      vault: home,
      ...(managed === null
        ? { serverUrl: server.url, serverName: server.name }
        : { serverUrl: enterprise?.identityUrl ?? server.url, serverName: null }),
      agent: { id: agent.id, name: agent.name, version: agent.version },
      scopes: challenge?.scopes ?? [],
      resourceMetadata: challenge?.resourceMetadata ?? null,
      resume: { ...key, call: call?.id ?? null, since: call?.since ?? null },
    })
    .catch(noLink);
  return link?.url ?? null;
}

/** Whoever waits for a link is told the trouble without one, and asks again with the next call. */
function noLink(error: unknown): null {
  if (error instanceof Fault && error.code === 'records_unavailable') return null;
  throw error;
}
