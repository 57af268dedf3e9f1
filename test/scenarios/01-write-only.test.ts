import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { createKmsReader, createKmsWriter } from '#aws/vault/secrets.kms.ts';
import { createSecretsManagerReader, createSecretsManagerWriter } from '#aws/vault/secrets.secrets-manager.ts';
import { startApi, type Answer, type TestApi } from '#test/functions/api/api.ts';
import { PREFIX, startSecretsWorld, type SecretsWorld } from '#test/ports/secrets-world.ts';

/** A value that exists nowhere else, in the forms in which it could be found. */
const canary = (name: string) => `canary-${name}-${crypto.randomUUID()}`;
const formsOf = (value: string) => [value, Buffer.from(value).toString('base64').replaceAll('=', ''), value.slice(-16)];

const SERVER = 'https://mcp.example.com/mcp';
const first = { access_token: canary('access'), refresh_token: canary('refresh'), client_secret: canary('client') };
const second = { access_token: canary('access'), refresh_token: canary('refresh'), client_secret: canary('client') };
const others = { token: canary('bearer'), secret_value: canary('value'), misplaced: canary('misplaced') };
const CANARIES = [first, second, others].flatMap((values) => Object.values(values)).flatMap(formsOf);

const found = (text: string) => CANARIES.filter((form) => text.includes(form));

describe.each(OAuthTokens.options)('scenario 1: secrets are write-only, with OAuth tokens in %s', (store) => {
  let secrets: SecretsWorld;
  let api: TestApi;
  const answers: Answer[] = [];
  beforeAll(async () => {
    [secrets, api] = await Promise.all([startSecretsWorld(), startApi()]);
    const { manager, kms } = secrets.as.writer;
    const inManager = createSecretsManagerWriter(manager, PREFIX);
    const sealed = createKmsWriter(kms, secrets.keyArn);
    api.world.secrets = {
      write: (place, type, ...rest) =>
        (store === 'dynamodb-kms' && type === 'mcp_oauth' ? sealed : inManager).write(place, type, ...rest),
      remove: (place) => inManager.remove(place),
    };
  });
  afterAll(() => Promise.all([secrets.close(), api.close()]));

  async function ask(...request: Parameters<TestApi['ask']>): Promise<Answer> {
    const answer = await api.ask(...request);
    answers.push(answer);
    return answer;
  }

  /** Everything that is stored outside the store of secrets. */
  async function dump(): Promise<string> {
    const tables = [api.vaultTable, api.recordsTable, api.logTable, api.auditTable];
    const pages = await Promise.all(tables.map((TableName) => api.dynamodb.send(new ScanCommand({ TableName }))));
    return JSON.stringify([pages.map(({ Items }) => Items), [...api.objects]]);
  }

  it('they are in no response, table, log line or record, and the functions that may read them find them', async () => {
    const { body: vault } = await ask('POST', '/v1/vaults', { display_name: 'keys' });
    const path = `/v1/vaults/${vault.id}/credentials`;
    const refresh = (values: typeof first, type: string) => ({
      refresh_token: values.refresh_token,
      token_endpoint_auth: { type, client_secret: values.client_secret },
    });
    const endpoint = { client_id: 'client', token_endpoint: 'https://auth.example.com/token', scope: 'read' };
    const oauth = { type: 'mcp_oauth', mcp_server_url: SERVER, access_token: first.access_token };
    const made = await ask('POST', path, {
      auth: { ...oauth, refresh: { ...endpoint, ...refresh(first, 'client_secret_post') } },
    });
    expect(made.body.auth.refresh).toEqual({
      ...endpoint,
      token_endpoint_auth: { type: 'client_secret_post' },
      resource: null,
    });
    await ask('POST', path, { auth: { ...oauth, type: 'static_bearer' } });
    const bearer = { type: 'static_bearer', mcp_server_url: `${SERVER}/two`, token: others.token };
    const { body: other } = await ask('POST', path, { auth: bearer });
    const variable = { type: 'environment_variable', secret_name: 'A', networking: { type: 'unrestricted' } };
    await ask('POST', path, { auth: { ...variable, secret_value: others.secret_value } });
    const changed = { access_token: second.access_token, refresh: refresh(second, 'client_secret_basic') };
    await ask('POST', `${path}/${made.body.id}`, { auth: { type: 'mcp_oauth', ...changed } });
    await ask('GET', `${path}/${made.body.id}`);
    await ask('GET', `${path}?include_archived=true`);
    // A refusal names the field and the rule.
    await ask('POST', path, { auth: bearer });
    await ask('POST', path, { auth: { ...bearer, token: `${others.misplaced}\n` } });
    await ask('POST', path, { auth: { ...bearer, mcp_server_url: `https://${others.misplaced}` } });
    await ask('POST', path, { auth: { ...bearer, type: others.misplaced } });
    await ask('POST', path, `{"auth":{"token":"${others.misplaced}`);
    await ask('POST', `${path}/${other.id}`, { auth: { type: 'mcp_oauth', access_token: others.misplaced } });

    const place = {
      workspace: WorkspaceId.parse('wrkspc_tests'),
      vault: VaultId.parse(vault.id),
      credential: CredentialId.parse(made.body.id),
    };
    const { secrets: pointers = {} } = (await api.world.credentials.find(place)) ?? {};
    const { manager, kms } = secrets.as.reader;
    const reader =
      store === 'dynamodb-kms' ? createKmsReader(kms, secrets.keyArn) : createSecretsManagerReader(manager, PREFIX);
    expect(await reader.read(place, pointers)).toEqual(second);
    expect(found(JSON.stringify(answers.map(({ body, headers }) => [body, [...headers]])))).toEqual([]);
    expect(found(JSON.stringify(api.lines))).toEqual([]);
    expect(found(await dump())).toEqual([]);
    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 400, 200, 200, 200, 200, 200, 409, 400, 400, 400, 400, 400,
    ]);
  });

  it('a store that fails does not reveal them either', async () => {
    const { body: vault } = await ask('POST', '/v1/vaults', { display_name: 'keys' });
    const { write } = api.world.secrets;
    api.world.secrets.write = (place, type) =>
      write(
        { ...place, workspace: WorkspaceId.parse('wrkspc_0') },
        type,
        {
          token: others.token,
        },
        { token: 'secrets-manager:none' },
      );
    const auth = { type: 'static_bearer', mcp_server_url: SERVER, token: others.token };
    const failed = await ask('POST', `/v1/vaults/${vault.id}/credentials`, { auth });
    api.world.secrets.write = write;
    expect(failed).toMatchObject({ status: 500, body: { error: { type: 'api_error' } } });
    expect(found(JSON.stringify([failed.body, api.lines]))).toEqual([]);
    expect((await ask('GET', `/v1/vaults/${vault.id}/credentials`)).body.data).toEqual([]);
  });
});
