/** Changes of a credential. They read no secret: each new secret is a version of its own, beside the others. */
import type { CredentialUpdate } from '#contract/credential-requests.ts';
import type { Credential } from '#contract/credentials.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { changeAuth, type AuthRules } from '#core/vault/credential-auth.ts';
import type { SecretPointers, SecretValues } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';

const ARCHIVED = refuse('invalid_request_error', 'credential_id: is archived');

/** Null when there is no such credential. When another request changed the row first, the change is decided again. */
export async function updateCredential(
  world: VaultWorld,
  place: CredentialPlace,
  update: CredentialUpdate,
): Promise<Credential | RequestRefusal | null> {
  const { credentials, secrets } = world;
  // The new secrets do not depend on the row, so they are written once.
  let written: SecretPointers | null = null;
  for (;;) {
    const stored = await credentials.find(place);
    if (stored === null) return null;
    if (stored.credential.archived_at !== null) return ARCHIVED;
    const rules = { now: world.stamp.now(), allow: world.serversAllowed };
    const change = changedCredential(stored.credential, update, rules);
    if (isRefusal(change)) return change;
    if (change.credential === stored.credential) return stored.credential;
    if (hasAny(change.values)) {
      written ??= await secrets.write(place, stored.credential.auth.type, change.values, stored.secrets);
    }
    const replacing = { credential: change.credential, secrets: { ...stored.secrets, ...written } };
    const replaced = await credentials.replace({ ...stored, ...replacing, version: stored.version + 1 });
    if (replaced === 'saved') return change.credential;
  }
}

interface Change {
  /** The saved one itself when nothing changes. */
  readonly credential: Credential;
  readonly values: SecretValues;
}

function changedCredential(saved: Credential, update: CredentialUpdate, rules: AuthRules): Change | RequestRefusal {
  const changed = changeAuth(saved.auth, update.auth, rules);
  if (isRefusal(changed)) return changed;
  const metadata = patchMetadata(saved.metadata, update.metadata);
  if (metadata === null) return METADATA_TOO_LARGE;
  const display_name = update.display_name === undefined ? saved.display_name : update.display_name;
  const credential = { ...saved, display_name, auth: changed.auth, metadata };
  const isSame = !hasAny(changed.values) && JSON.stringify(credential) === JSON.stringify(saved);
  return isSame
    ? { credential: saved, values: {} }
    : { credential: { ...credential, updated_at: rules.now }, values: changed.values };
}

function hasAny(values: SecretValues): boolean {
  return Object.keys(values).length > 0;
}
