import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { ENTRIES, type Entry } from '#infra/constructs/modules.ts';
import { EntryFunction } from '#infra/constructs/entry-function.ts';
import { Vaults } from '#infra/constructs/vaults.ts';
import { serviceOf } from '#infra/local/lambda/environment.ts';
import { createVerdicts } from '#infra/local/iam/verdicts.ts';
import type { Template } from '#infra/local/template/parts.ts';
import { readTemplate } from '#infra/local/template/read-template.ts';
import { roleParts } from '#infra/local/template/roles.ts';
import { readStack } from '#infra/local/template/stack.ts';
import { appAssembly } from '#test/infra/synthesized.ts';

const dirs: string[] = [];
function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'brainstem-vaults-'));
  dirs.push(dir);
  return dir;
}
afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true })));

const OF_SECRETS = ['CreateSecret', 'PutSecretValue', 'DeleteSecret', 'GetSecretValue', 'BatchGetSecretValue'];

describe.each(OAuthTokens.options)('a stack with OAuth tokens in %s', (oauthTokens) => {
  let template: Template;
  beforeAll(() => {
    template = readTemplate(appAssembly({ oauthTokens }), {});
  });

  /** Entries that may do this by the role of their function, and roles of no function. */
  function holders(action: string, resource: string): readonly string[] {
    const verdicts = createVerdicts(template.roles);
    const able = template.roles.filter(({ arn }) => verdicts.judge(arn, { action, resource, context: {} }).allowed);
    return able.map(({ arn }) => {
      const part = template.functions.find(({ roleArn }) => roleArn === arn);
      return part === undefined ? arn : serviceOf(part);
    });
  }

  const settingsOf = (entry: Entry) => template.functions.find((part) => serviceOf(part) === entry)?.environment ?? {};
  const secret = () => `${settingsOf('api')['SECRETS_PREFIX']}/wrkspc_1/vlt_1/vcrd_1-a1b2c3`;
  /** The MCP proxy, as a list. */
  const theProxy = (ENTRIES as readonly string[]).filter((entry) => entry === 'mcp-proxy');

  test('lets only the MCP proxy, and the function that the egress proxy asks, read the secrets of vaults', () => {
    expect(holders('secretsmanager:GetSecretValue', secret()).toSorted()).toEqual(['egress', ...theProxy]);
    expect(holders('secretsmanager:BatchGetSecretValue', secret())).toEqual([]);
    expect(holders('secretsmanager:PutSecretValue', secret())).toContain('api');
  });

  test('has a rotating KMS key where tokens are sealed, and lets only the MCP proxy decrypt with it', () => {
    // Of the other keys, one signs and seals nothing, and one seals tokens of repositories.
    const ofRepositories = settingsOf('api')['REPOSITORY_KEY_ARN'];
    const sealing = template.keys.filter(({ spec }) => spec === 'SYMMETRIC_DEFAULT').map(({ arn }) => arn);
    const arns = sealing.filter((arn) => arn !== ofRepositories);
    expect(sealing).toContain(ofRepositories);
    expect(arns).toHaveLength(oauthTokens === 'dynamodb-kms' ? 1 : 0);
    expect(arns).toEqual([settingsOf('api')['VAULT_KEY_ARN']].filter(Boolean));
    for (const arn of arns) {
      expect(holders('kms:Decrypt', arn)).toEqual(theProxy);
      for (const action of ['kms:ReEncryptFrom', 'kms:CreateGrant', 'kms:PutKeyPolicy']) {
        expect(holders(action, arn)).toEqual([]);
      }
      expect(holders('kms:GenerateDataKey', arn)).toContain('api');
    }
    expect(holders('kms:Decrypt', ofRepositories ?? '')).toEqual(['egress']);
    const readsAll = holders('kms:Decrypt', 'arn:aws:kms:us-east-1:000000000000:key/another');
    expect(readsAll).toEqual([]);
  });
});

describe.each(OAuthTokens.options)('the grants of vaults with OAuth tokens in %s', (oauthTokens) => {
  type Grant = 'grantManage' | 'grantUse' | 'grantConnect' | 'grantSettle';
  const GRANTS: readonly Grant[] = ['grantManage', 'grantUse', 'grantConnect', 'grantSettle'];
  let may: (grant: Grant, action: string, resource: string, leadingKey?: string) => boolean;
  let names: { readonly table: string; readonly secret: string; readonly key: string };

  beforeAll(() => {
    const app = new App({ outdir: scratchDir() });
    const stack = new Stack(app, 'Own');
    const vaults = new Vaults(stack, 'Vaults', { removalPolicy: RemovalPolicy.DESTROY, oauthTokens });
    const bundles = { code: () => Code.fromInline('exports.handler = 0'), sandboxImageDir: '', egressImageDir: '' };
    const defaults = {
      bundles,
      removalPolicy: RemovalPolicy.DESTROY,
      logRetention: RetentionDays.ONE_DAY,
    };
    for (const grant of GRANTS) {
      const props = { entry: 'api' as const, defaults, timeout: Duration.seconds(3), memoryMb: 128 };
      vaults[grant](new EntryFunction(stack, grant, props));
    }
    const { directory } = app.synth();
    const own = readStack(directory, {});
    const roles = roleParts(own);
    const verdicts = createVerdicts(roles);
    names = {
      table: String(own.resolve(stack.resolve(vaults.table.tableArn), 'table')),
      secret: `${String(own.resolve(stack.resolve(vaults.secretsPrefix), 'prefix'))}/wrkspc_1/vlt_1/vcrd_1-a1b2c3`,
      key: vaults.key === null ? '' : String(own.resolve(stack.resolve(vaults.key.keyArn), 'key')),
    };
    may = (grant, action, resource, leadingKey = 'wrkspc_1#vlt_1') => {
      const role = roles.find(({ name }) => name.includes(grant))?.arn ?? '';
      const context = { 'dynamodb:LeadingKeys': [leadingKey] };
      return verdicts.judge(role, { action, resource, context }).allowed;
    };
  });
  const can = (grant: Grant, actions: readonly string[], resource: string) =>
    actions.filter((action) => may(grant, action, resource));

  test.each<[Grant, readonly string[]]>([
    ['grantManage', ['CreateSecret', 'PutSecretValue', 'DeleteSecret']],
    ['grantUse', ['CreateSecret', 'PutSecretValue', 'GetSecretValue']],
    ['grantConnect', ['CreateSecret', 'PutSecretValue', 'DeleteSecret']],
    ['grantSettle', ['DeleteSecret']],
  ])('%s gives these rights on secrets: %j', (grant, actions) => {
    const all = OF_SECRETS.map((action) => `secretsmanager:${action}`);
    expect(can(grant, all, names.secret)).toEqual(actions.map((action) => `secretsmanager:${action}`));
    expect(can(grant, all, 'arn:aws:secretsmanager:us-east-1:000000000000:secret:Own-Vaults2/x-a1b2c3')).toEqual([]);
  });

  test.each<[Grant, readonly string[]]>([
    ['grantManage', ['kms:GenerateDataKey']],
    ['grantUse', ['kms:GenerateDataKey', 'kms:Decrypt']],
    ['grantConnect', ['kms:GenerateDataKey']],
    ['grantSettle', []],
  ])('%s gives these rights on the key, if there is one: %j', (grant, actions) => {
    const held = can(grant, ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt'], names.key);
    expect(held).toEqual(oauthTokens === 'dynamodb-kms' ? actions : []);
  });

  test('let only the API write policies, pins’ approvals and OAuth clients that decide over calls', () => {
    for (const action of ['dynamodb:PutItem', 'dynamodb:UpdateItem']) {
      const writers = (rows: string) => GRANTS.filter((grant) => may(grant, action, names.table, rows));
      expect(writers('wrkspc_1#POLICY')).toEqual(['grantManage']);
      expect(writers('wrkspc_1#MCP#0a')).toEqual(['grantManage', 'grantUse']);
      expect(writers('wrkspc_1#CLIENT#0a')).toEqual(['grantManage', 'grantConnect']);
      expect(writers('CALL#sevt_1')).toEqual(['grantManage', 'grantUse']);
    }
    const ofVaults = GRANTS.filter((grant) => may(grant, 'dynamodb:UpdateItem', names.table));
    expect(ofVaults).toEqual(['grantManage', 'grantUse', 'grantConnect']);
  });

  test('let the creators of credentials write pending entries, and sweep end them', () => {
    const able = (action: string) => GRANTS.filter((grant) => may(grant, action, names.table, 'PENDING#vcrd_1'));
    expect(able('dynamodb:PutItem')).toEqual(['grantManage', 'grantConnect']);
    expect(able('dynamodb:UpdateItem')).toEqual(['grantManage', 'grantConnect', 'grantSettle']);
    expect(may('grantSettle', 'dynamodb:Query', `${names.table}/index/list`)).toBe(true);
    expect(may('grantSettle', 'dynamodb:GetItem', names.table)).toBe(true);
  });

  test('let sweep query and update connections, and read single rows of everything else', () => {
    const all = ['GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'].map((action) => `dynamodb:${action}`);
    const settling = (rows: string) => all.filter((action) => may('grantSettle', action, names.table, rows));
    expect(settling('CONNECT#sesn_1')).toEqual(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem']);
    expect(settling('wrkspc_1#vlt_1')).toEqual(['dynamodb:GetItem']);
  });

  test('let the API delete rows, and a user of credentials neither add nor delete them', () => {
    expect(may('grantManage', 'dynamodb:DeleteItem', names.table)).toBe(true);
    expect(may('grantManage', 'dynamodb:Query', `${names.table}/index/list`)).toBe(true);
    expect(may('grantUse', 'dynamodb:UpdateItem', names.table)).toBe(true);
    for (const mark of ['CALL#sevt_1', 'CONNECT#conn_1', 'wrkspc_1#MCP#0a']) {
      expect(may('grantUse', 'dynamodb:PutItem', names.table, mark)).toBe(true);
    }
    for (const rows of ['wrkspc_1#vlt_1', 'wrkspc_1#POLICY', 'wrkspc_1#CLIENT#0a']) {
      expect(may('grantUse', 'dynamodb:PutItem', names.table, rows)).toBe(false);
    }
    for (const grant of ['grantUse', 'grantConnect', 'grantSettle'] as const) {
      expect(may(grant, 'dynamodb:DeleteItem', names.table)).toBe(false);
    }
  });
});
