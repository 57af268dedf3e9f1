import { describe, expect, it } from 'vitest';
import { apiWorld } from '#aws/worlds/api.ts';
import { connectWorld } from '#aws/worlds/connect.ts';
import { egressWorld } from '#aws/worlds/egress.ts';
import { executeWorld } from '#aws/worlds/execute.ts';
import { anthropicHarnessWorld } from '#aws/worlds/harness.anthropic.ts';
import { bedrockHarnessWorld } from '#aws/worlds/harness.bedrock.ts';
import { claudePlatformHarnessWorld } from '#aws/worlds/harness.claude-platform-on-aws.ts';
import { issueKeyWorld } from '#aws/worlds/issue-key.ts';
import { mcpProxyWorld } from '#aws/worlds/mcp-proxy.ts';
import { provisionWorld } from '#aws/worlds/provision.ts';
import { streamWorld } from '#aws/worlds/stream.ts';
import { signAuditWorld } from '#aws/worlds/sign-audit.ts';
import { sweepWorld } from '#aws/worlds/sweep.ts';
import { webFetchWorld } from '#aws/worlds/web-fetch.ts';
import { HANDS } from '#test/functions/core/given.ts';

const COMPLETE: Readonly<Record<string, string>> = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  LOG_TABLE: 'log',
  RECORDS_TABLE: 'records',
  PREVIEWS_TABLE: 'previews',
  CONTENT_BUCKET: 'content',
  RUN_STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:000000000000:stateMachine:Run',
  MODEL_BASE_URL: 'https://api.anthropic.com',
  MODEL_SILENCE_SECONDS: '{"default":120,"models":{}}',
  MODEL_REGION: 'eu-central-1',
  MODEL_WORKSPACE_ID: 'wrkspc_1',
  MODEL_API_KEY_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:model',
  PROVISION_FUNCTION_NAME: 'provision',
  MCP_PROXY_FUNCTION_NAME: 'mcp-proxy',
  HANDS: JSON.stringify(HANDS),
  MCP_CALLS_PER_MINUTE: 'unlimited',
  MCP_HOOKS: '{"pre":null,"post":null,"failOpen":false}',
  SANDBOX_CLUSTER: 'cluster',
  SANDBOX_IDLE_SECONDS: '300',
  SANDBOX_TASK_DEFINITION: 'task',
  SANDBOX_CONTAINER: 'sandbox',
  SANDBOX_SUBNETS: 'subnet-1,subnet-2',
  SANDBOX_SECURITY_GROUP: 'sg-1',
  WEB_FETCH_ALLOW: '[]',
  PACKAGES_TASK_DEFINITION: 'packages',
  PACKAGES_CONTAINER: 'packages',
  PACKAGES_SUBNETS: 'subnet-3,subnet-4',
  PACKAGES_SECURITY_GROUP: 'sg-2',
  PACKAGES_SOURCES: '{}',
  PACKAGES_SYSTEM: 'bookworm',
  FIRST_API_KEY_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:key',
  AUDIT_TABLE: 'audit',
  AUDIT_KEY_ARN: 'arn:aws:kms:us-east-1:000000000000:key/1',
  AUDIT_HEADS_BUCKET: 'heads',
  SIGN_AUDIT_FUNCTION_NAME: 'sign-audit',
  VAULT_TABLE: 'vaults',
  MEMORY_TABLE: 'memory',
  SECRETS_PREFIX: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:vaults',
  OAUTH_TOKENS: 'secrets-manager',
  MCP_ALLOW: '[]',
  CONNECT_BASE_URL: 'https://agents.example.com/connect',
  CONNECT_RETURN_URLS: '[]',
  CONNECT_SIGNING_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:signing',
  CONNECT_SECRETS_PREFIX: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:clients',
  CONNECT_LOGIN: '{"issuer":"https://idp.example.com","clientId":"x","clientSecretArn":null,"userClaim":"sub"}',
  CONNECT_CLIENTS: '[]',
  CONNECT_APP_NAME: 'Brainstem',
  CONNECT_ALLOW: '[]',
  ENTERPRISE: 'null',
  CREATES_PER_MINUTE: '300',
  READS_PER_MINUTE: 'unlimited',
  IDLE_STREAM_SECONDS: '300',
  RETIRED_MODELS: 'refused',
  NETWORK_MAX: 'unrestricted',
  EGRESS_WARM_PROXIES: '0',
  EGRESS_TASK_DEFINITION: 'egress',
  EGRESS_CONTAINER: 'egress-proxy',
  EGRESS_SUBNETS: 'subnet-5,subnet-6',
  EGRESS_SECURITY_GROUP: 'sg-3',
  REPOSITORY_KEY_ARN: 'arn:aws:kms:us-east-1:000000000000:key/2',
  GIT_HOSTS: '{}',
  SANDBOX_MAX_SECONDS: '86400',
  EXECUTE_FUNCTION_NAME: 'execute',
};

const STORES = ['LOG_TABLE', 'RECORDS_TABLE', 'CONTENT_BUCKET'];
const RATES = ['CREATES_PER_MINUTE', 'READS_PER_MINUTE'];
const NETWORK = ['NETWORK_MAX', 'EGRESS_WARM_PROXIES'];
const HARNESS = [
  ...STORES,
  ...[
    'PREVIEWS_TABLE',
    'MODEL_BASE_URL',
    'MODEL_SILENCE_SECONDS',
    'PROVISION_FUNCTION_NAME',
    'MCP_PROXY_FUNCTION_NAME',
    'HANDS',
  ],
];
const worlds = [
  {
    name: 'api',
    world: apiWorld,
    needs: [
      ...[...STORES, ...RATES, 'RUN_STATE_MACHINE_ARN', 'PROVISION_FUNCTION_NAME', 'AUDIT_TABLE'],
      ...['VAULT_TABLE', 'SECRETS_PREFIX', 'OAUTH_TOKENS', 'MCP_ALLOW', 'MCP_PROXY_FUNCTION_NAME'],
      ...['CONNECT_BASE_URL', 'CONNECT_RETURN_URLS', 'CONNECT_ALLOW', 'ENTERPRISE', 'RETIRED_MODELS', 'MEMORY_TABLE'],
      ...['SIGN_AUDIT_FUNCTION_NAME', 'NETWORK_MAX', 'REPOSITORY_KEY_ARN', 'GIT_HOSTS'],
    ],
  },
  {
    name: 'connect',
    world: connectWorld,
    needs: [
      ...[...STORES, 'RUN_STATE_MACHINE_ARN', 'AUDIT_TABLE', 'VAULT_TABLE', 'SECRETS_PREFIX', 'OAUTH_TOKENS'],
      ...['MCP_ALLOW', 'CONNECT_BASE_URL', 'CONNECT_SIGNING_SECRET_ARN', 'CONNECT_SECRETS_PREFIX', 'CONNECT_LOGIN'],
      ...['CONNECT_CLIENTS', 'CONNECT_APP_NAME', 'CONNECT_ALLOW', 'ENTERPRISE'],
    ],
  },
  { name: 'stream', world: streamWorld, needs: [...STORES, ...RATES, 'PREVIEWS_TABLE', 'IDLE_STREAM_SECONDS'] },
  { name: 'harness', world: anthropicHarnessWorld, needs: [...HARNESS, 'MODEL_API_KEY_SECRET_ARN'] },
  { name: 'harness on Bedrock', world: bedrockHarnessWorld, needs: [...HARNESS, 'MODEL_REGION', 'AWS_ACCESS_KEY_ID'] },
  {
    name: 'harness on Claude Platform on AWS',
    world: claudePlatformHarnessWorld,
    needs: [...HARNESS, 'MODEL_REGION', 'MODEL_WORKSPACE_ID', 'AWS_SECRET_ACCESS_KEY'],
  },
  {
    name: 'provision',
    world: provisionWorld,
    needs: [
      'RECORDS_TABLE',
      'SANDBOX_CLUSTER',
      'SANDBOX_IDLE_SECONDS',
      'SANDBOX_TASK_DEFINITION',
      'SANDBOX_CONTAINER',
      'SANDBOX_SUBNETS',
      'SANDBOX_SECURITY_GROUP',
      'PACKAGES_TASK_DEFINITION',
      'PACKAGES_CONTAINER',
      'PACKAGES_SUBNETS',
      'PACKAGES_SECURITY_GROUP',
      'PACKAGES_SOURCES',
      'PACKAGES_SYSTEM',
      'CONTENT_BUCKET',
      ...[...NETWORK, 'VAULT_TABLE', 'EGRESS_TASK_DEFINITION', 'EGRESS_CONTAINER', 'EGRESS_SUBNETS'],
      'EGRESS_SECURITY_GROUP',
    ],
  },
  { name: 'execute', world: executeWorld, needs: [...STORES, 'MEMORY_TABLE', ...NETWORK] },
  { name: 'web-fetch', world: webFetchWorld, needs: [...STORES, 'WEB_FETCH_ALLOW'] },
  {
    name: 'mcp-proxy',
    world: mcpProxyWorld,
    needs: [
      ...[...STORES, 'VAULT_TABLE', 'SECRETS_PREFIX', 'OAUTH_TOKENS', 'AUDIT_TABLE', 'MCP_ALLOW'],
      ...['MCP_CALLS_PER_MINUTE', 'MCP_HOOKS', 'CONNECT_BASE_URL', 'CONNECT_ALLOW', 'ENTERPRISE'],
    ],
  },
  {
    name: 'sweep',
    world: sweepWorld,
    needs: [
      ...[...STORES, 'RUN_STATE_MACHINE_ARN', 'VAULT_TABLE', 'MEMORY_TABLE'],
      ...['SANDBOX_MAX_SECONDS', 'SANDBOX_IDLE_SECONDS', 'EXECUTE_FUNCTION_NAME', ...NETWORK],
    ],
  },
  {
    name: 'egress',
    world: egressWorld,
    needs: ['RECORDS_TABLE', 'VAULT_TABLE', 'SECRETS_PREFIX', 'AUDIT_TABLE'],
  },
  { name: 'sign-audit', world: signAuditWorld, needs: ['AUDIT_TABLE', 'AUDIT_KEY_ARN', 'AUDIT_HEADS_BUCKET'] },
  { name: 'issue-key', world: issueKeyWorld, needs: ['RECORDS_TABLE', 'FIRST_API_KEY_SECRET_ARN'] },
];

describe('the settings of a function', () => {
  it.each(worlds)('start $name when they are complete', ({ world }) => {
    expect(() => world(COMPLETE)).not.toThrow();
  });

  it.each(worlds.flatMap(({ name, world, needs }) => needs.map((missing) => ({ name, world, missing }))))(
    'stop $name at its start when $missing is missing, by that name',
    ({ world, missing }) => {
      const { [missing]: _removed, ...rest } = COMPLETE;
      expect(() => world(rest)).toThrow(missing);
      expect(() => world({ ...COMPLETE, [missing]: '' })).toThrow(missing);
    },
  );

  it('stop web-fetch at its start when the allowed hosts are malformed', () => {
    const entry = { host: 'wiki.internal', cidr: '10.0.0.0/8' };
    expect(() => webFetchWorld({ ...COMPLETE, WEB_FETCH_ALLOW: JSON.stringify([entry]) })).not.toThrow();
    for (const wrong of ['', 'none', '{}', '[{}]', JSON.stringify([{ ...entry, cidr: '10.0.0.0' }])]) {
      expect(() => webFetchWorld({ ...COMPLETE, WEB_FETCH_ALLOW: wrong })).toThrow('WEB_FETCH_ALLOW');
    }
  });

  it('stop the API at its start when a rate is no number, with the setting’s name', () => {
    for (const wrong of ['0', '-1', '1.5', 'many']) {
      expect(() => apiWorld({ ...COMPLETE, READS_PER_MINUTE: wrong })).toThrow('READS_PER_MINUTE');
    }
  });

  it('stop provision at its start when the package sources are malformed, with the setting’s name', () => {
    for (const wrong of ['npm', '{"npmRegistry":"nowhere"}', '{"password":"x"}']) {
      expect(() => provisionWorld({ ...COMPLETE, PACKAGES_SOURCES: wrong })).toThrow('PACKAGES_SOURCES');
    }
  });

  it('stop the harness at its start when the model’s base URL is malformed, with the setting’s name', () => {
    for (const wrong of ['api.anthropic.com', 'ftp://example.com', 'not a url']) {
      for (const world of [anthropicHarnessWorld, bedrockHarnessWorld, claudePlatformHarnessWorld])
        expect(() => world({ ...COMPLETE, MODEL_BASE_URL: wrong })).toThrow('MODEL_BASE_URL');
    }
  });
});
