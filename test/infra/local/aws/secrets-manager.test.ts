import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSecretsManager } from '#infra/local/aws/secrets-manager/open-secrets-manager.ts';
import { generateSecret } from '#infra/local/aws/secrets-manager/generate.ts';
import { newSecret, withVersion } from '#infra/local/aws/secrets-manager/versions.ts';
import type { AwsRequest } from '#infra/local/aws/service.ts';
import type { SecretPart } from '#infra/local/template/parts.ts';
import { removeScratchDirs, scratchDir, smallTemplate, startWorld } from '#test/infra/local/aws/aws.fixture.ts';

afterAll(removeScratchDirs);

const SECRETS = smallTemplate().secrets;
const ARN = SECRETS[0]?.arn ?? '';

test('Secrets Manager stores and returns a value, and the one before keeps its stage', async () => {
  const world = await startWorld();
  const client = new SecretsManagerClient(world.as('Api'));
  const first = await client.send(new GetSecretValueCommand({ SecretId: ARN }));
  expect(first.SecretString).toMatch(/^[A-Za-z0-9]{40}$/);
  await client.send(new PutSecretValueCommand({ SecretId: ARN, SecretString: 'second' }));
  const current = await client.send(new GetSecretValueCommand({ SecretId: 'Brainstem-Key' }));
  expect(current).toMatchObject({ SecretString: 'second', VersionStages: ['AWSCURRENT'], ARN });
  const previous = await client.send(new GetSecretValueCommand({ SecretId: ARN, VersionStage: 'AWSPREVIOUS' }));
  expect(previous.SecretString).toBe(first.SecretString);
  const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId: ARN }));
  expect(
    Object.values(VersionIdsToStages ?? {})
      .flat()
      .toSorted(),
  ).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  await expect(client.send(new CreateSecretCommand({ Name: 'vault/x', SecretString: 'y' }))).rejects.toThrow(
    '"Resource":"arn:aws:secretsmanager:us-east-1:000000000000:secret:vault/x-??????"',
  );
  await world.aws.close();
});

test('a generated secret survives a restart, in files that only their owner can read', () => {
  const dataDir = scratchDir();
  const first = openSecretsManager(SECRETS, dataDir).readSecret('Key');
  expect(openSecretsManager(SECRETS, dataDir).readSecret('Key')).toBe(first);
  const dir = join(dataDir, 'secrets');
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(readdirSync(dir).map((file) => statSync(join(dir, file)).mode & 0o777)).toEqual([0o600]);
});

test('a secret that an operator sets replaces the generated one', () => {
  const dataDir = scratchDir();
  openSecretsManager(SECRETS, dataDir).setSecret('Key', 'sk-given');
  expect(openSecretsManager(SECRETS, dataDir).readSecret(ARN)).toBe('sk-given');
});

/** Calls an operation as the endpoint does after it granted access. */
function caller(secrets: readonly SecretPart[] = []) {
  const service = openSecretsManager(secrets, scratchDir());
  return async (operation: string, input: object) => {
    const request = { operation, body: Buffer.from(JSON.stringify(input)) } as AwsRequest;
    return JSON.parse(String((await service.read(request).answer()).body));
  };
}

test('Secrets Manager creates, reads and deletes secrets', async () => {
  const call = caller();
  const { ARN: arn } = await call('CreateSecret', { Name: 'vault/a', SecretString: 'one' });
  await expect(call('CreateSecret', { Name: 'vault/a', SecretString: 'two' })).rejects.toMatchObject({
    code: 'ResourceExistsException',
  });
  expect(await call('GetSecretValue', { SecretId: arn.slice(0, -7) })).toMatchObject({ SecretString: 'one' });
  await call('DeleteSecret', { SecretId: 'vault/a' });
  await expect(call('GetSecretValue', { SecretId: arn })).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
});

test('a repeated put makes no second version, and the same token with another value is refused', async () => {
  const call = caller();
  await call('CreateSecret', { Name: 'a', SecretString: 'one' });
  const put = { SecretId: 'a', SecretString: 'two', ClientRequestToken: 'token' };
  expect(await call('PutSecretValue', put)).toEqual(await call('PutSecretValue', put));
  await expect(call('PutSecretValue', { ...put, SecretString: 'three' })).rejects.toMatchObject({
    code: 'ResourceExistsException',
  });
});

test('a pending secret version does not take the current stage', async () => {
  const call = caller();
  await call('CreateSecret', { Name: 'a', SecretString: 'one' });
  await call('PutSecretValue', { SecretId: 'a', SecretString: 'next', VersionStages: ['AWSPENDING'] });
  expect(await call('GetSecretValue', { SecretId: 'a' })).toMatchObject({ SecretString: 'one' });
  expect(await call('GetSecretValue', { SecretId: 'a', VersionStage: 'AWSPENDING' })).toMatchObject({
    SecretString: 'next',
  });
});

test('a stage moves to the version that gets it, and a version without a stage can still be read', async () => {
  const call = caller();
  await call('CreateSecret', { Name: 'a/b/c' });
  await expect(call('GetSecretValue', { SecretId: 'a/b/c' })).rejects.toMatchObject({
    code: 'ResourceNotFoundException',
  });
  const put = (token: string, VersionStages: readonly string[]) =>
    call('PutSecretValue', { SecretId: 'a/b/c', SecretString: token, ClientRequestToken: token, VersionStages });
  await put('v1', ['x', 'y']);
  await put('v2', ['AWSCURRENT', 'x']);
  await put('v3', ['AWSCURRENT', 'y']);
  await put('v4', ['AWSCURRENT', 'x']);
  expect(await call('DescribeSecret', { SecretId: 'a/b/c' })).toMatchObject({
    VersionIdsToStages: { v3: ['y', 'AWSPREVIOUS'], v4: ['AWSCURRENT', 'x'] },
  });
  expect(await call('GetSecretValue', { SecretId: 'a/b/c', VersionId: 'v1' })).toMatchObject({ SecretString: 'v1' });
});

test('of more than a hundred secret versions, those without a stage are removed after a day', () => {
  const old = (id: string, stages: string[] = []) => ({ id, value: id, stages, createdAt: 0 });
  const versions = [old('staged', ['x']), old('outdated'), ...Array.from({ length: 99 }, (_, n) => old(`v${n}`))];
  const before = { ...newSecret('a', 'arn'), versions };
  const { secret } = withVersion(before, { value: 'n', token: 'new' });
  const ids = secret.versions.map(({ id }) => id);
  expect(ids).toHaveLength(101);
  expect(ids).toContain('staged');
  expect(ids).not.toContain('outdated');
});

test('a repeated creation has the same answer, and a forced deletion of an unknown secret succeeds', async () => {
  const call = caller();
  const create = { Name: 'a', SecretString: 'one', ClientRequestToken: 'token' };
  expect(await call('CreateSecret', create)).toEqual(await call('CreateSecret', create));
  const forced = { SecretId: 'a', ForceDeleteWithoutRecovery: true };
  for (const _ of ['first', 'repeat']) expect(await call('DeleteSecret', forced)).toHaveProperty('DeletionDate');
  await expect(call('DeleteSecret', { SecretId: 'a' })).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
});

test('a secret that is larger than AWS allows is refused', async () => {
  const call = caller();
  await call('CreateSecret', { Name: 'a', SecretString: 'x'.repeat(65_536) });
  const put = call('PutSecretValue', { SecretId: 'a', SecretString: 'x'.repeat(65_537) });
  await expect(put).rejects.toMatchObject({ code: 'ValidationException' });
});

test('the creation of a secret with tags needs the right to tag', () => {
  const service = openSecretsManager([], scratchDir());
  const body = Buffer.from(JSON.stringify({ Name: 'a', Tags: [{ Key: 'k', Value: 'v' }] }));
  const actions = service.read({ operation: 'CreateSecret', body } as AwsRequest).accesses.map(({ action }) => action);
  expect(actions).toEqual(['secretsmanager:CreateSecret', 'secretsmanager:TagResource']);
});

test('a generated password has characters of each kind that is not excluded', () => {
  const password = generateSecret({ PasswordLength: 12 });
  for (const kind of [/[a-z]/, /[A-Z]/, /[0-9]/, /[!-/:-@[-`{-~]/, /^.{12}$/]) expect(password).toMatch(kind);
  expect(generateSecret({ PasswordLength: 300, ExcludePunctuation: true })).toMatch(/^[a-zA-Z0-9]{300}$/);
});

test('an option of generated passwords that is not played is refused', () => {
  expect(() => generateSecret({ ExcludeCharacters: '"' })).toThrow('ExcludeCharacters');
});
