/** Chooses the store of a secret: a writer by the deployment's option, a reader by the pointer. */
import { KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { Fault } from '#core/ports/errors.ts';
import type { SecretPointers, SecretReader, SecretWriter } from '#core/ports/secrets.ts';
import { secretFields, secretInvalid, storeOf, type Store } from '#aws/vault/secret-pointers.ts';
import { createKmsReader, createKmsWriter } from '#aws/vault/secrets.kms.ts';
import { createSecretsManagerReader, createSecretsManagerWriter } from '#aws/vault/secrets.secrets-manager.ts';
import { setting, type Env } from '#aws/settings.ts';

/** Short, because a user waits for the call that needs the secret. */
const PATIENTLY = { requestHandler: { connectionTimeout: 1000, requestTimeout: 4000 }, maxAttempts: 3 };

export function createSecretWriter(env: Env): SecretWriter {
  const prefix = setting(env, 'SECRETS_PREFIX');
  const manager = createSecretsManagerWriter(new SecretsManagerClient(PATIENTLY), prefix);
  if (tokensIn(env) === 'secrets-manager') return manager;
  const sealed = createKmsWriter(new KMSClient(PATIENTLY), setting(env, 'VAULT_KEY_ARN'));
  return {
    write(place, type, values, inForce) {
      return (type === 'mcp_oauth' ? sealed : manager).write(place, type, values, inForce);
    },
    async remove(place) {
      // Both: the option may have changed since the credential was created.
      await Promise.all([sealed.remove(place), manager.remove(place)]);
    },
  };
}

/** Removes secrets that are stored outside the rows; a sealed secret is removed with its row. */
export function createSecretRemover(env: Env): Pick<SecretWriter, 'remove'> {
  const prefix = setting(env, 'SECRETS_PREFIX');
  return createSecretsManagerWriter(new SecretsManagerClient(PATIENTLY), prefix);
}

export function createSecretReader(env: Env): SecretReader {
  const prefix = setting(env, 'SECRETS_PREFIX');
  const readers = new Map<string, SecretReader>([
    ['secrets-manager' satisfies Store, createSecretsManagerReader(new SecretsManagerClient(PATIENTLY), prefix)],
  ]);
  if (tokensIn(env) === 'dynamodb-kms') {
    const keyArn = setting(env, 'VAULT_KEY_ARN');
    readers.set('dynamodb-kms' satisfies Store, createKmsReader(new KMSClient(PATIENTLY), keyArn));
  }
  return {
    async read(place, pointers) {
      const values = byStore(pointers).map(([store, ofStore]) => {
        const reader = readers.get(store) ?? secretInvalid(place, 'is in no store of this deployment');
        return reader.read(place, ofStore);
      });
      return Object.assign({}, ...(await Promise.all(values)));
    },
  };
}

/** Reads secrets of the type `environment_variable`: they are in one store, whatever the deployment's option says. */
export function createVariableReader(env: Env): SecretReader {
  return createSecretsManagerReader(new SecretsManagerClient(PATIENTLY), setting(env, 'SECRETS_PREFIX'));
}

function tokensIn(env: Env): OAuthTokens {
  const parsed = OAuthTokens.safeParse(setting(env, 'OAUTH_TOKENS'));
  if (parsed.success) return parsed.data;
  throw new Fault('setting_missing', 'the setting OAUTH_TOKENS names no store');
}

function byStore(pointers: SecretPointers): readonly (readonly [string, SecretPointers])[] {
  const groups = Map.groupBy(secretFields(pointers), ([, pointer]) => storeOf(pointer));
  return [...groups].map(([store, fields]) => [store, Object.fromEntries(fields)]);
}
