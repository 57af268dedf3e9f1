/** Finds the API key of a request: current SDKs send it as `Authorization: Bearer`, older ones and curl as `x-api-key`. */
import type { ApiKey } from '#contract/api-keys.ts';
import type { ApiKeys } from '#core/ports/records.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';

/** Header values by lower-case name. */
type Header = (name: string) => string | null | undefined;

export async function authenticate(header: Header, apiKeys: ApiKeys): Promise<ApiKey | RequestRefusal> {
  const secret = secretOf(header);
  if (secret === null) {
    return refuse('authentication_error', 'an API key is required: send it as "Authorization: Bearer" or "x-api-key"');
  }
  const apiKey = await apiKeys.find(secret);
  if (apiKey === null) return refuse('authentication_error', 'the API key is not known');
  const workspace = header('anthropic-workspace-id');
  if (workspace !== null && workspace !== undefined && workspace !== apiKey.workspace) {
    return refuse('permission_error', 'anthropic-workspace-id: the API key belongs to another workspace');
  }
  return apiKey;
}

function secretOf(header: Header): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(header('authorization') ?? '')?.[1];
  const secret = bearer ?? header('x-api-key')?.trim();
  return secret === undefined || secret === '' ? null : secret;
}
