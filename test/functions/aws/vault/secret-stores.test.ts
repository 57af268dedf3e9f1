import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSecretReader, createSecretRemover, createSecretWriter } from '#aws/vault/secret-stores.ts';
import { removeScratchDirs } from '#test/infra/local/aws/aws.fixture.ts';
import { PREFIX, startSecretsWorld, type SecretsWorld } from '#test/ports/secrets-world.ts';
import { newPlace } from '#test/ports/secrets.suite.ts';

let secrets: SecretsWorld;
beforeAll(async () => {
  secrets = await startSecretsWorld();
  const { endpoint, region, credentials } = secrets.world.as('Execute');
  vi.stubEnv('AWS_ENDPOINT_URL', endpoint);
  vi.stubEnv('AWS_REGION', region);
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await secrets.close();
  removeScratchDirs();
});

const managed = { SECRETS_PREFIX: PREFIX, OAUTH_TOKENS: 'secrets-manager' };
const sealed = () => ({ SECRETS_PREFIX: PREFIX, OAUTH_TOKENS: 'dynamodb-kms', VAULT_KEY_ARN: secrets.keyArn });
const storesOf = (pointers: object) => Object.values(pointers).map((pointer: string) => pointer.split(':')[0]);

describe('the store of a secret', () => {
  it('is Secrets Manager, except for OAuth tokens in a deployment that seals them', async () => {
    const tokens = { access_token: 'a', refresh_token: 'r' };
    expect(storesOf(await createSecretWriter(managed).write(newPlace(), 'mcp_oauth', tokens))).toEqual([
      'secrets-manager',
      'secrets-manager',
    ]);
    const writer = createSecretWriter(sealed());
    expect(storesOf(await writer.write(newPlace(), 'mcp_oauth', tokens))).toEqual(['dynamodb-kms', 'dynamodb-kms']);
    expect(storesOf(await writer.write(newPlace(), 'static_bearer', { token: 't' }))).toEqual(['secrets-manager']);
    const variable = { secret_value: 'v' };
    expect(storesOf(await writer.write(newPlace(), 'environment_variable', variable))).toEqual(['secrets-manager']);
  });

  it('changes with the next write, and secrets that were not written again are read from the old store', async () => {
    const place = newPlace();
    const before = await createSecretWriter(managed).write(place, 'mcp_oauth', {
      access_token: 'a1',
      client_secret: 'c',
    });
    const moved = await createSecretWriter(sealed()).write(place, 'mcp_oauth', { access_token: 'a2' }, before);
    const inForce = { ...before, ...moved };
    expect(storesOf(inForce).toSorted()).toEqual(['dynamodb-kms', 'secrets-manager']);
    expect(await createSecretReader(sealed()).read(place, inForce)).toEqual({ access_token: 'a2', client_secret: 'c' });
    await createSecretWriter(sealed()).remove(place);
    await expect(createSecretReader(sealed()).read(place, before)).rejects.toMatchObject({
      code: 'secret_unavailable',
    });
  });

  it('is emptied by a function that has only the right to remove secrets', async () => {
    const place = newPlace();
    const pointers = await createSecretWriter(managed).write(place, 'static_bearer', { token: 't' });
    const remover = createSecretRemover({ SECRETS_PREFIX: PREFIX });
    for (const _ of ['first', 'repeat']) await remover.remove(place);
    const gone = { code: 'secret_unavailable' };
    await expect(createSecretReader(managed).read(place, pointers)).rejects.toMatchObject(gone);
  });

  it('is named in a fault without the pointer, when the deployment lacks the store or the pointer is unknown', async () => {
    const place = newPlace();
    const pointers = await createSecretWriter(sealed()).write(place, 'mcp_oauth', { access_token: 'a' });
    for (const one of [pointers, { access_token: 'elsewhere:canary' }, { access_token: 'canary' }]) {
      const error = await createSecretReader(managed)
        .read(place, one)
        .catch((fault: unknown) => fault);
      expect(error).toMatchObject({ code: 'stored_data_invalid' });
      expect(String(error)).not.toMatch(/canary|dynamodb-kms:/);
    }
  });

  it('stops the function at its start when a setting for it is missing, with the setting’s name', () => {
    for (const make of [createSecretWriter, createSecretReader]) {
      expect(() => make({ ...managed, OAUTH_TOKENS: 'memory' })).toThrow('OAUTH_TOKENS');
      expect(() => make({ ...managed, SECRETS_PREFIX: '' })).toThrow('SECRETS_PREFIX');
      expect(() => make({ ...managed, OAUTH_TOKENS: 'dynamodb-kms' })).toThrow('VAULT_KEY_ARN');
    }
  });
});
