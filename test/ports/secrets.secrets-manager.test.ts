import { DescribeSecretCommand, CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSecretsManagerReader, createSecretsManagerWriter } from '#aws/vault/secrets.secrets-manager.ts';
import type { SecretPointers } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import type { AroundCall } from '#infra/local/aws/service.ts';
import { removeScratchDirs } from '#test/infra/local/aws/aws.fixture.ts';
import { PREFIX, startSecretsWorld, type SecretsWorld } from '#test/ports/secrets-world.ts';
import { newPlace, secretsSuite, type Secrets } from '#test/ports/secrets.suite.ts';

let secrets: SecretsWorld;
/** Called after each request, before its response is returned. */
let afterCall: (operation: string) => void = () => {};

beforeAll(async () => {
  const aroundCall: AroundCall = async (request, pass) => {
    const response = await pass(request);
    afterCall(request.operation);
    return response;
  };
  secrets = await startSecretsWorld({ aroundCall });
});
afterAll(async () => {
  await secrets.close();
  removeScratchDirs();
});

function open(): Secrets {
  return {
    writer: createSecretsManagerWriter(secrets.as.writer.manager, PREFIX),
    reader: createSecretsManagerReader(secrets.as.reader.manager, PREFIX),
  };
}

secretsSuite('Secrets Manager', open);

describe('a credential’s secret in Secrets Manager', () => {
  const nameOf = ({ workspace, vault, credential }: CredentialPlace) => `vaults/${workspace}/${vault}/${credential}`;
  const describeSecret = (place: CredentialPlace) =>
    secrets.as.reader.manager.send(new DescribeSecretCommand({ SecretId: nameOf(place) }));

  it('is named after workspace, vault and credential, and each version in force has a stage', async () => {
    const { writer } = open();
    const place = newPlace();
    let inForce: SecretPointers = await writer.write(place, 'mcp_oauth', { client_secret: 'c', refresh_token: 'r' });
    for (const access_token of ['a1', 'a2', 'a3']) {
      inForce = { ...inForce, ...(await writer.write(place, 'mcp_oauth', { access_token }, inForce)) };
    }
    const { Name, VersionIdsToStages } = await describeSecret(place);
    expect(Name).toBe(nameOf(place));
    const stages = Object.fromEntries(
      Object.entries(inForce).map(([field, pointer]) => [field, VersionIdsToStages?.[pointer.split(':')[1] ?? '']]),
    );
    expect(stages).toEqual({
      access_token: ['AWSCURRENT', 'access_token'],
      client_secret: ['refresh_token', 'client_secret'],
      refresh_token: ['refresh_token', 'client_secret'],
    });
  });

  it('is not created for no fields', async () => {
    const place = newPlace();
    await open().writer.write(place, 'mcp_oauth', {});
    await expect(describeSecret(place)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('is removed with all its versions', async () => {
    const { writer, reader } = open();
    const place = newPlace();
    const pointers = await writer.write(place, 'static_bearer', { token: 't' });
    await writer.remove(place);
    await expect(reader.read(place, pointers)).rejects.toMatchObject({ code: 'secret_unavailable' });
  });

  it('is not created again by a refresh that was running when it was removed', async () => {
    const { writer } = open();
    const place = newPlace();
    const inForce = await writer.write(place, 'mcp_oauth', { access_token: 'a1' });
    await writer.remove(place);
    const late = writer.write(place, 'mcp_oauth', { access_token: 'a2' }, inForce);
    await expect(late).rejects.toMatchObject({ code: 'secret_unavailable' });
    await expect(describeSecret(place)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('is filled by the next writer when the first died after the creation', async () => {
    const { writer, reader } = open();
    const place = newPlace();
    await secrets.as.writer.manager.send(new CreateSecretCommand({ Name: nameOf(place) }));
    const pointers = await writer.write(place, 'static_bearer', { token: 't' });
    expect(await reader.read(place, pointers)).toEqual({ token: 't' });
  });

  it('gets one version from a write with a lost answer', async () => {
    const { writer } = open();
    const place = newPlace();
    let lost = 0;
    afterCall = (operation) => {
      if (operation !== 'PutSecretValue' || lost > 0) return;
      lost += 1;
      throw new Error('the answer is lost');
    };
    const pointers = await writer.write(place, 'static_bearer', { token: 't' });
    afterCall = () => {};
    expect(lost).toBe(1);
    const { VersionIdsToStages } = await describeSecret(place);
    expect(Object.keys(VersionIdsToStages ?? {})).toEqual([pointers.token?.split(':')[1]]);
  });

  it('is reported without quoting when it holds something else', async () => {
    const { reader } = open();
    const place = newPlace();
    await secrets.as.writer.manager.send(new CreateSecretCommand({ Name: nameOf(place) }));
    for (const SecretString of ['canary', '{"token":["canary"]}']) {
      const put = new PutSecretValueCommand({ SecretId: nameOf(place), SecretString });
      const { VersionId } = await secrets.as.writer.manager.send(put);
      const error = await reader
        .read(place, { token: `secrets-manager:${VersionId}` })
        .catch((fault: unknown) => fault);
      expect(error).toMatchObject({ code: 'stored_data_invalid', cause: undefined });
      expect(String(error)).not.toContain('canary');
    }
  });

  it('is written by a role that cannot read it', async () => {
    const { writer } = open();
    const place = newPlace();
    const pointers = await writer.write(place, 'static_bearer', { token: 't' });
    const reader = createSecretsManagerReader(secrets.as.writer.manager, PREFIX);
    await expect(reader.read(place, pointers)).rejects.toMatchObject({
      code: 'secret_unavailable',
      cause: { name: 'AccessDeniedException' },
    });
  });
});
