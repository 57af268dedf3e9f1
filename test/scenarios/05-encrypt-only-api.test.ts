/** The function `api` as it is deployed: its settings, its role's policies, and AWS as the local runtime plays it. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { createSecretReader, createSecretWriter } from '#aws/vault/secret-stores.ts';
import { startAws, type Aws } from '#infra/local/aws/start-aws.ts';
import { functionEnvironment, serviceOf } from '#infra/local/lambda/environment.ts';
import { readTemplate } from '#infra/local/template/read-template.ts';
import { appAssembly } from '#test/infra/synthesized.ts';

const PLACE = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  vault: VaultId.parse('vlt_1'),
  credential: CredentialId.parse('vcrd_1'),
};

describe.each(OAuthTokens.options)(
  'scenario 5: the API cannot read the secrets that it stores, with OAuth tokens in %s',
  (store) => {
    const dir = mkdtempSync(join(tmpdir(), 'brainstem-encrypt-only-'));
    let aws: Aws;
    const calls: string[] = [];
    const denied: string[] = [];
    let environment: Readonly<Record<string, string>>;

    beforeAll(async () => {
      const template = readTemplate(appAssembly({ oauthTokens: store }), {});
      aws = await startAws({
        template,
        dataDir: dir,
        invoke: async () => null,
        report: (message) => void denied.push(message),
        aroundCall(request, pass) {
          calls.push(`${request.service}:${request.operation}`);
          return pass(request);
        },
      });
      // What the start says of the machine is no denial.
      denied.length = 0;
      const api = template.functions.find((part) => serviceOf(part) === 'api') ?? expect.fail('the API has a function');
      const caller = { functionName: api.name, roleArn: api.roleArn, worker: 'worker-1' };
      const credentials = aws.endpoint.credentialsFor(caller);
      const around = { ...credentials, region: template.region, endpointUrl: aws.endpoint.url, logStream: 'log' };
      environment = functionEnvironment(api, around);
      // The environment that the SDK's clients read in the function.
      for (const [name, value] of Object.entries(environment)) if (name.startsWith('AWS_')) vi.stubEnv(name, value);
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await aws.close();
      rmSync(dir, { recursive: true });
    });

    test('it replaces one token without reading any, and is refused when it tries to read', async () => {
      const writer = createSecretWriter(environment);
      const first = await writer.write(PLACE, 'mcp_oauth', { access_token: 'a1', refresh_token: 'r1' });
      const inForce = { ...first, ...(await writer.write(PLACE, 'mcp_oauth', { refresh_token: 'r2' }, first)) };
      expect(Object.values(inForce).every((pointer) => pointer.startsWith(`${store}:`))).toBe(true);
      expect(denied).toEqual([]);
      expect(calls).not.toContain('secretsmanager:GetSecretValue');
      expect(calls).not.toContain('kms:Decrypt');
      await expect(createSecretReader(environment).read(PLACE, inForce)).rejects.toMatchObject({
        code: 'secret_unavailable',
        cause: { name: 'AccessDeniedException' },
      });
    });

    test('it is also refused a secret that is always in Secrets Manager', async () => {
      const place = { ...PLACE, credential: CredentialId.parse('vcrd_2') };
      const writer = createSecretWriter(environment);
      const { token = '' } = await writer.write(place, 'static_bearer', { token: 'bearer' });
      expect(token).toMatch(/^secrets-manager:/);
      const name = `${environment['SECRETS_PREFIX']}/wrkspc_1/vlt_1/vcrd_2`;
      const get = new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId: name }));
      await expect(get).rejects.toMatchObject({ name: 'AccessDeniedException' });
      expect(JSON.parse(aws.secrets.readSecret(name) ?? '')).toEqual({ token: 'bearer' });
      await writer.remove(place);
      expect(() => aws.secrets.readSecret(name)).toThrow('there is no secret');
    });
  },
);
