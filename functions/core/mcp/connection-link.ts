/** Links on which a user connects a server for the session. */
import type { OpenCall } from '#contract/entries.ts';
import type { CredentialId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Caller, KnownIdentity, KnownServer } from '#core/mcp/caller.ts';
import type { McpFailure } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

interface Connecting {
  readonly server: KnownServer;
  readonly identity: KnownIdentity;
  /** How the server refused; null when it was not asked. */
  readonly challenge: Pick<McpFailure, 'scopes' | 'resourceMetadata'> | null;
  /** The call that goes on after the user has approved; null for the list of tools. */
  readonly call: Pick<OpenCall, 'id' | 'sincePosition'> | null;
}

/** The user, and the credential that the session has for the server. */
export type Holder = Pick<KnownIdentity, 'user' | 'match'>;

/** Whether the user can change what keeps the session from a token. */
export function connectingHelps({ status }: NoBearer): boolean {
  return status === 'needs_reauth' || status === 'other_user';
}

/** A credential with a pasted token. A person has to replace the token: a connection would bring another kind. */
export function pastedCredential({ match }: Holder): CredentialId | null {
  if (match === null) return null;
  const { id, auth } = match.stored.credential;
  return auth.type === 'mcp_oauth' ? null : id;
}

/** For people, never for the model. Null when a connection would not help, or when no user can be asked for one. */
export async function connectionUrl(
  { links, enterprise }: Pick<McpProxyWorld, 'links' | 'enterprise'>,
  { key, workspace, agent }: Caller,
  { server, identity, challenge, call }: Connecting,
): Promise<string | null> {
  const { home, managed } = identity;
  // For a managed server the user can only sign in, and a refusal by the server shows that a sign-in was not missing.
  if (managed !== null && challenge !== null) return null;
  if (home === null || pastedCredential(identity) !== null) return null;
  const named = managed === null ? server : { url: enterprise?.identityUrl ?? server.url, name: null };
  const link = await links
    .offer({
      workspace,
      vault: home,
      server: { ...named, resourceMetadata: challenge?.resourceMetadata ?? null },
      agent: { id: agent.id, name: agent.name, version: agent.version },
      scopes: [...(challenge?.scopes ?? [])],
      resume: { ...key, call: call?.id ?? null, sincePosition: call?.sincePosition ?? null },
    })
    .catch(noLink);
  return link?.url ?? null;
}

/** While links cannot be stored, people are told of the trouble without one; the next call asks for a link again. */
function noLink(error: unknown): null {
  if (error instanceof Fault && error.code === 'records_unavailable') return null;
  throw error;
}
