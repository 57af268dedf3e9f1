/**
 * Tries a credential at its server: with the token in force, and once more with a fresh token when the server refuses the
 * first one. The refresh keeps the rules of every refresh: one at a time, none in a cool-down, and its outcome is saved.
 *
 * The status is `unknown` for a credential that no server accepts by itself: one for an environment variable, an identity,
 * and one for a server that the organisation manages.
 */
import type { CredentialValidation } from '#contract/credential-validation.ts';
import { isIdentity, managedServer } from '#core/vault/enterprise.ts';
import { Fault } from '#core/ports/errors.ts';
import type { McpClient, McpFailure } from '#core/ports/mcp-client.ts';
import type { Until } from '#core/mcp/proxy-world.ts';
import type { OutboundFailure } from '#core/ports/outbound.ts';
import { createObtainToken, type Obtained } from '#core/vault/tokens.ts';
import type { RefreshAttempt, RefreshWorld } from '#core/vault/refresh.ts';
import { scrubbedResponse } from '#core/mcp/redact.ts';
import type { SecretValues } from '#core/ports/secrets.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';
import { credentialPlace, type CredentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';

export interface ValidationPorts extends RefreshWorld {
  /** Makes a client with an empty cache, because a cached list of tools proves nothing. */
  readonly newClient: () => McpClient;
}

type Told = Pick<CredentialValidation, 'status' | 'mcp_probe' | 'refresh'>;

/** The time that remains for the answer. */
const SPARE_MS = 1000;
const UNTESTED = { mcp_probe: null, refresh: null };
/** With these failures the token endpoint was not reached; with all others it answered. */
const CONNECT_ERRORS: readonly OutboundFailure['failure'][] = ['blocked', 'unreachable', 'timeout'];

/** Null when there is no such credential. Throws `Fault`s, and the signal's reason. */
export async function validateCredential(
  world: ValidationPorts,
  place: CredentialPlace,
  until: Until,
): Promise<CredentialValidation | null> {
  const validatedAt = world.stamp.now();
  const stored = await world.credentials.find(place);
  if (stored === null) return null;
  const told = await trial(world, stored, until);
  return {
    type: 'vault_credential_validation',
    credential_id: place.credential,
    vault_id: place.vault,
    validated_at: validatedAt,
    has_refresh_token: stored.secrets.refresh_token !== undefined,
    ...told,
  };
}

async function trial(world: ValidationPorts, stored: StoredCredential, until: Until): Promise<Told> {
  const { auth, archived_at: archivedAt } = stored.credential;
  const url = auth.type === 'environment_variable' ? null : canonicalServerUrl(auth.mcp_server_url);
  if (url === null || isOfEnterprise(world, url)) return { status: 'unknown', ...UNTESTED };
  if (archivedAt !== null) return { status: 'invalid', ...UNTESTED };
  const values = await world.secrets.read(credentialPlace(stored), stored.secrets);
  const token = values.token ?? values.access_token;
  if (token === undefined) return { status: 'invalid', ...UNTESTED };
  const carried = carry(world, stored, { token, signal: until.signal });
  const target = { url, bearer: carried.bearer, cacheKey: null, deadline: until.deadline - SPARE_MS };
  const listed = await world.newClient().listTools(target, until.signal);
  const obtained = carried.obtained();
  return {
    status: listed.status === 'listed' ? 'valid' : verdict(listed, obtained),
    mcp_probe: listed.status === 'listed' ? null : probeOf(listed, inUse(values, obtained)),
    refresh: obtained === null ? null : refreshOf(stored, obtained),
  };
}

function isOfEnterprise({ enterprise }: ValidationPorts, url: string): boolean {
  return isIdentity(enterprise, url) || managedServer(enterprise, url) !== null;
}

/** Carries the token in force, and a fresh one after the server has refused it. */
function carry(
  world: ValidationPorts,
  stored: StoredCredential,
  { token, signal }: { readonly token: string; readonly signal: AbortSignal },
) {
  let obtained: Obtained | null = null;
  return {
    obtained: () => obtained,
    bearer: {
      token: async () => (obtained?.answer.status === 'bearer' ? obtained.answer.token : token),
      async onUnauthorized() {
        obtained = await createObtainToken(world)(stored, { refused: stored.version, signal });
        if (obtained.answer.status === 'bearer') return;
        throw new Fault('secret_unavailable', 'the server refused the token, and there is no other one');
      },
    },
  };
}

function verdict({ kind }: McpFailure, obtained: Obtained | null): Told['status'] {
  if (kind === 'scope_required') return 'invalid';
  if (kind !== 'authentication') return 'unknown';
  // The server refused the fresh token, or refused without asking for one. Else the reason decides why there is none.
  if (obtained === null || obtained.answer.status !== 'unavailable') return 'invalid';
  return isRefused(obtained.attempt) ? 'invalid' : 'unknown';
}

/** The authorization server understood the request and refused it, so a repeat does not help. */
function isRefused(attempt: RefreshAttempt | null): boolean {
  if (attempt === null || attempt.answer.status === 'failed') return false;
  const { code } = attempt.answer;
  return code >= 400 && code < 500 && code !== 408 && code !== 429;
}

function probeOf({ method, http }: McpFailure, secrets: readonly string[]): Told['mcp_probe'] {
  return { method, http_response: http === null ? null : scrubbedResponse(http, secrets) };
}

/** Null when the token endpoint was not asked: another process asks it, or a cool-down forbids it. */
function refreshOf({ secrets }: StoredCredential, { attempt }: Obtained): Told['refresh'] {
  if (secrets.refresh_token === undefined) return { status: 'no_refresh_token', http_response: null };
  if (attempt === null) return null;
  if (attempt.meaning === 'refreshed') return { status: 'succeeded', http_response: null };
  const { answer } = attempt;
  if (answer.status === 'failed') {
    const status = CONNECT_ERRORS.includes(answer.failure) ? 'connect_error' : 'failed';
    return { status, http_response: null };
  }
  const response = {
    status_code: answer.code,
    content_type: answer.headers['content-type'] ?? '',
    body: new TextDecoder().decode(answer.body),
    body_truncated: false,
  };
  return { status: 'failed', http_response: scrubbedResponse(response, attempt.inUse) };
}

function inUse(values: SecretValues, obtained: Obtained | null): readonly string[] {
  const later = obtained?.answer.status === 'bearer' ? obtained.answer.inUse : [];
  return [...Object.values(values), ...later, ...(obtained?.attempt?.inUse ?? [])];
}
