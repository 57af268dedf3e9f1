import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '#contract/content.ts';
import { EGRESS_PORT, EgressProxyVariables, START_EGRESS_PROXY } from '#contract/egress.ts';
import { ExecuteRequest } from '#contract/hands.ts';
import { ENTRIES } from '#infra/constructs/modules.ts';
import {
  allowed,
  entryWithRole,
  functionOf,
  isObject,
  list,
  mentions,
  properties,
  type Properties,
  setting,
  target,
} from '#infra/rules/template.ts';
import { type Synthesized, synthesize } from './synthesized.ts';

let stack: Synthesized;

/** Options that no test needs to have their defaults, in one synthesis. */
const OTHER = {
  'rateLimits.createsPerMinute': '300',
  'rateLimits.readsPerMinute': '1200',
  'sandbox.idleMinutes': '12',
  'network.max': 'none',
};

beforeAll(() => {
  stack = synthesize();
});

function all(type: string): Properties[] {
  return Object.values(stack.template.Resources)
    .filter(({ Type }) => Type === type)
    .map(properties);
}

function lambda(entry: string): Properties {
  const found = functionOf(stack.template, entry);
  if (!found) throw new Error(`no function for the entry ${entry}`);
  return properties(found);
}

describe('settings: each function gets exactly the environment variables that it reads', () => {
  const log = 'LOG_TABLE';
  const records = 'RECORDS_TABLE';
  const audit = 'AUDIT_TABLE';
  const content = 'CONTENT_BUCKET';
  const previews = 'PREVIEWS_TABLE';
  const machine = 'RUN_STATE_MACHINE_ARN';
  const vaults = ['VAULT_TABLE', 'SECRETS_PREFIX', 'OAUTH_TOKENS'];
  const links = ['CONNECT_BASE_URL', 'CONNECT_RETURN_URLS', 'CONNECT_ALLOW', 'ENTERPRISE', 'MCP_ALLOW'];
  const mcp = ['MCP_ALLOW', 'MCP_CALLS_PER_MINUTE', 'MCP_HOOKS', 'CONNECT_BASE_URL', 'CONNECT_ALLOW', 'ENTERPRISE'];
  const rates = ['CREATES_PER_MINUTE', 'READS_PER_MINUTE'];
  const proxy = 'MCP_PROXY_FUNCTION_NAME';
  const place = ['TASK_DEFINITION', 'CONTAINER', 'SUBNETS', 'SECURITY_GROUP'];
  const sandbox = ['CLUSTER', 'IDLE_SECONDS', ...place].map((name) => `SANDBOX_${name}`);
  const packages = [...place, 'SOURCES', 'SYSTEM'].map((name) => `PACKAGES_${name}`);
  const network = ['NETWORK_MAX', 'EGRESS_WARM_PROXIES'];
  const egress = place.map((name) => `EGRESS_${name}`);
  test.each([
    [
      'api',
      [
        ...[log, records, content, audit, machine, 'PROVISION_FUNCTION_NAME', proxy, 'RETIRED_MODELS'],
        ...[...rates, ...vaults, ...links, 'MEMORY_TABLE', 'SIGN_AUDIT_FUNCTION_NAME'],
        ...['NETWORK_MAX', 'REPOSITORY_KEY_ARN', 'GIT_HOSTS'],
      ],
    ],
    ['stream', [log, records, content, previews, ...rates, 'IDLE_STREAM_SECONDS']],
    [
      'harness',
      [
        log,
        records,
        content,
        previews,
        'MODEL_BASE_URL',
        'MODEL_API_KEY_SECRET_ARN',
        'MODEL_SILENCE_SECONDS',
        'PROVISION_FUNCTION_NAME',
        proxy,
        'HANDS',
        'RUN_STATE_MACHINE_ARN',
      ],
    ],
    ['provision', [records, content, 'VAULT_TABLE', ...sandbox, ...packages, ...egress, ...network]],
    ['execute', [log, records, content, 'MEMORY_TABLE', ...network]],
    ['web-fetch', [log, records, content, 'WEB_FETCH_ALLOW']],
    ['mcp-proxy', [log, records, content, audit, ...vaults, ...mcp]],
    [
      'sweep',
      [
        ...[log, records, content, machine, 'VAULT_TABLE', 'SECRETS_PREFIX', 'SANDBOX_CLUSTER', 'SANDBOX_MAX_SECONDS'],
        ...['MEMORY_TABLE', 'SANDBOX_IDLE_SECONDS', 'EXECUTE_FUNCTION_NAME', 'PROVISION_FUNCTION_NAME'],
        ...network,
      ],
    ],
    ['egress', [records, audit, 'VAULT_TABLE', 'SECRETS_PREFIX', 'REPOSITORY_KEY_ARN', 'GIT_HOSTS']],
    ['issue-key', [records, 'FIRST_API_KEY_SECRET_ARN']],
    ['sign-audit', [audit, 'AUDIT_KEY_ARN', 'AUDIT_HEADS_BUCKET']],
  ])('%s', (entry, names) => {
    const environment = lambda(entry)['Environment'];
    const variables = isObject(environment) && isObject(environment['Variables']) ? environment['Variables'] : {};
    const own = Object.keys(variables).filter((name) => !name.startsWith('POWERTOOLS_'));
    expect(own.toSorted()).toEqual(names.toSorted());
    expect(variables['POWERTOOLS_METRICS_NAMESPACE']).toBe('Brainstem');
  });
});

describe('rights: each function may do exactly what the design says', () => {
  const read = 'dynamodb:GetItem dynamodb:Query';
  const append = 'dynamodb:GetItem dynamodb:PutItem dynamodb:Query';
  const readWrite = 'dynamodb:ConditionCheckItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem';
  const objects = 's3:GetObject s3:PutObject';
  test.each<[string, Record<string, string>]>([
    [
      'api',
      {
        log: 'dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query',
        records: `dynamodb:BatchGetItem dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem`,
        'records/index/list': 'dynamodb:Query',
        'records/index/scope': 'dynamodb:Query',
        content: 's3:ListBucket',
        'content/blobs/*': objects,
        'content/sesn_*': 's3:DeleteObject s3:GetObject s3:PutObject',
        audit: 'dynamodb:PutItem dynamodb:Query',
        'audit/index/list': 'dynamodb:Query',
        run: 'states:StartExecution',
        provision: 'lambda:InvokeFunction',
        'mcp-proxy': 'lambda:InvokeFunction',
        'sign-audit': 'lambda:InvokeFunction',
        'repository key': 'kms:GenerateDataKey',
        vaults: `dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem`,
        'vaults/index/list': 'dynamodb:Query',
        memory: `dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem`,
        'memory/index/list': 'dynamodb:Query',
        'secrets of vaults': 'secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:PutSecretValue',
      },
    ],
    [
      'stream',
      {
        log: read,
        records: read,
        previews: 'dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem',
        'content/sesn_*': 's3:GetObject',
        'content/blobs/*': 's3:GetObject',
      },
    ],
    [
      'harness',
      {
        log: append,
        records: `dynamodb:BatchGetItem ${readWrite}`,
        'records/index/scope': 'dynamodb:Query',
        run: 'states:StartExecution',
        previews: 'dynamodb:GetItem dynamodb:PutItem',
        'content/sesn_*': objects,
        'content/blobs/*': 's3:GetObject',
        'model key': 'secretsmanager:DescribeSecret secretsmanager:GetSecretValue',
        provision: 'lambda:InvokeFunction',
        'mcp-proxy': 'lambda:InvokeFunction',
      },
    ],
    [
      'execute',
      {
        log: append,
        records: readWrite,
        'content/blobs/*': objects,
        'content/sesn_*': objects,
        'content/packages/*/archive.tar.gz': 's3:GetObject',
        memory: `dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem`,
      },
    ],
    ['web-fetch', { log: append, 'content/sesn_*': objects }],
    [
      'mcp-proxy',
      {
        log: append,
        records: read,
        'content/sesn_*': objects,
        audit: 'dynamodb:PutItem dynamodb:Query',
        vaults: 'dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem',
        'secrets of vaults': 'secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue',
      },
    ],
    [
      'sweep',
      {
        log: append,
        records: readWrite,
        'records/index/running': 'dynamodb:Query',
        'records/index/list': 'dynamodb:Query',
        'records/index/scope': 'dynamodb:Query',
        'content/sesn_*': objects,
        'content/blobs/*': 's3:AbortMultipartUpload s3:DeleteObject',
        run: 'states:ListExecutions states:StartExecution',
        'tasks/*': 'ecs:DescribeTasks ecs:StopTask',
        execute: 'lambda:InvokeFunction',
        provision: 'lambda:InvokeFunction',
        memory: 'dynamodb:DeleteItem dynamodb:Query',
        vaults: 'dynamodb:GetItem dynamodb:Query dynamodb:UpdateItem',
        'vaults/index/list': 'dynamodb:Query',
        'secrets of vaults': 'secretsmanager:DeleteSecret',
      },
    ],
    [
      'egress',
      {
        records: read,
        audit: 'dynamodb:PutItem dynamodb:Query',
        vaults: read,
        'secrets of vaults': 'secretsmanager:GetSecretValue',
        'repository key': 'kms:Decrypt',
      },
    ],
    ['issue-key', { records: 'dynamodb:PutItem', 'first key': 'secretsmanager:GetSecretValue' }],
    [
      'sign-audit',
      {
        audit: 'dynamodb:Query',
        'audit key': 'kms:GetPublicKey kms:Sign',
        'audit heads': 's3:ListBucket',
        'audit heads/*': objects,
      },
    ],
  ])('%s', (entry, rights) => {
    expect(rightsOf(entry)).toEqual(rights);
  });

  test('the harness reads no records but those of sessions and of files', () => {
    const reading = statementsOf('harness').filter(
      ({ Action, Condition }) =>
        Action.includes('dynamodb:Query') && JSON.stringify(Condition ?? {}).includes('LeadingKeys'),
    );
    expect(reading).toMatchObject([
      {
        Action: ['dynamodb:GetItem', 'dynamodb:Query'],
        Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['sesn_*', '*#file_*'] } },
      },
    ]);
    const [records = ''] = reading.flatMap(({ Resource }) => Resource.flatMap(mentions));
    const unbounded = statementsOf('harness')
      .filter(({ Resource }) => Resource.some((one) => mentions(one).includes(records)))
      .filter(({ Action, Condition }) => Action.includes('dynamodb:Query') && Condition === undefined);
    expect(unbounded).toEqual([]);
  });

  test('provision may start tasks of three families in one cluster, and pass the execution role and the proxy’s', () => {
    const statements = statementsOf('provision');
    const run = statements.find(({ Action }) => Action.includes('ecs:RunTask'));
    expect(run?.Action).toEqual(['ecs:RunTask']);
    const families = run?.Resource.map((family) => /:task-definition\/\w+:\*/.exec(JSON.stringify(family))?.[0]);
    expect(families).toEqual([
      expect.stringContaining('/BrainstemAgentsEgress'),
      expect.stringContaining('/BrainstemAgentsHandsPackages'),
      expect.stringContaining('/BrainstemAgentsHandsSandbox'),
    ]);
    expect(run?.Condition['ArnEquals']?.['ecs:cluster']).toEqual(
      setting({ Type: '', Properties: lambda('provision') }, 'SANDBOX_CLUSTER'),
    );
    const tasks = statements.find(({ Action }) => Action.includes('ecs:DescribeTasks'));
    expect(tasks?.Action).toEqual(['ecs:DescribeTasks', 'ecs:StopTask']);
    const listing = statements.find(({ Action }) => Action.includes('ecs:ListTasks'));
    expect(listing?.Condition).toEqual(run?.Condition);
    const passed = statements.filter(({ Action }) => Action.some((action) => action.startsWith('iam:')));
    const definitions = all('AWS::ECS::TaskDefinition');
    const [execution] = definitions.map(({ ExecutionRoleArn }) => ExecutionRoleArn);
    const roles = definitions.flatMap(({ TaskRoleArn = [] }) => TaskRoleArn);
    expect(passed.flatMap(({ Resource }) => Resource)).toEqual([...roles, execution]);
    expect(roles).toHaveLength(1);
  });

  test('the stream function writes no record except the buckets of a configured rate limit', () => {
    const { template } = synthesize(OTHER);
    const stream = functionOf(template, 'stream') ?? { Type: '' };
    const records = target(setting(stream, 'RECORDS_TABLE')) ?? '';
    const written = Object.values(template.Resources)
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .filter((policy) => list(properties(policy)['Roles']).some((role) => isStreams(template, target(role))))
      .flatMap(allowed)
      .filter(({ Resource }) => Resource.some((one) => mentions(one).includes(records)))
      .filter(({ Action }) => Action.some((action) => /dynamodb:(Put|Update|Delete)/.test(action)));
    expect(written).toMatchObject([
      {
        Action: ['dynamodb:UpdateItem'],
        Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'limit#*' } },
      },
    ]);
    for (const entry of ['api', 'stream']) {
      const found = functionOf(template, entry) ?? { Type: '' };
      expect([setting(found, 'CREATES_PER_MINUTE'), setting(found, 'READS_PER_MINUTE')]).toEqual(['300', '1200']);
    }
  });

  test('provision may read, write and list package archives, and nothing else of the bucket', () => {
    const onBucket = statementsOf('provision').filter(({ Action }) => Action.some((one) => one.startsWith('s3:')));
    expect(onBucket.map(({ Action }) => Action)).toEqual([['s3:GetObject', 's3:PutObject'], ['s3:ListBucket']]);
    expect(JSON.stringify(onBucket[0]?.Resource)).toContain('"/packages/*"');
    expect(onBucket[1]?.Condition).toEqual({ StringLike: { 's3:prefix': 'packages/*' } });
  });

  test('the API may list the content of one session at a time, and never the whole bucket', () => {
    const listing = statementsOf('api').filter(({ Action }) => Action.includes('s3:ListBucket'));
    expect(listing.map(({ Condition }) => Condition)).toEqual([{ StringLike: { 's3:prefix': 'sesn_*/' } }]);
  });

  test('the run invokes five functions and starts itself', () => {
    const rights = ownRights((roles) => roles.every((role) => entryWithRole(stack.template, role) === undefined));
    expect(rights).toMatchObject({
      harness: 'lambda:InvokeFunction',
      provision: 'lambda:InvokeFunction',
      execute: 'lambda:InvokeFunction',
      'web-fetch': 'lambda:InvokeFunction',
      'mcp-proxy': 'lambda:InvokeFunction',
      run: 'states:StartExecution',
    });
  });

  function isStreams(template: Synthesized['template'], role: string | undefined): boolean {
    return entryWithRole(template, role) === 'stream';
  }

  function statementsOf(entry: string) {
    return policies((roles) => roles.some((role) => entryWithRole(stack.template, role) === entry)).flatMap(allowed);
  }

  function policies(held: (roles: (string | undefined)[]) => boolean) {
    return Object.values(stack.template.Resources).filter(
      (resource) => resource.Type === 'AWS::IAM::Policy' && held(list(properties(resource)['Roles']).map(target)),
    );
  }

  function rightsOf(entry: string) {
    return ownRights((roles) => roles.some((role) => entryWithRole(stack.template, role) === entry));
  }

  /** Actions by resource, with the names of resources in the design. Telemetry and network interfaces are left out. */
  function ownRights(held: (roles: (string | undefined)[]) => boolean): Record<string, string> {
    const names = resourceNames();
    const rights: Record<string, string[]> = {};
    for (const { Action, Resource } of policies(held).flatMap(allowed)) {
      for (const resource of Resource.filter((one) => one !== '*')) {
        const [id = ''] = partsOf(resource) ?? mentions(resource);
        const [, suffix = ''] = /"((?:\/[\w*.]+)+)"/.exec(JSON.stringify(resource)) ?? [];
        const name = `${names[id] ?? id}${suffix}`;
        rights[name] = [...(rights[name] ?? []), ...Action];
      }
    }
    const named = Object.entries(rights).filter(
      ([name]) => stack.template.Resources[name]?.Type !== 'AWS::Logs::LogGroup',
    );
    return Object.fromEntries(named.map(([name, actions]) => [name, [...new Set(actions)].toSorted().join(' ')]));
  }

  /** What an ARN that is put together from parts names: secrets of vaults are created later, and the machine has a name. */
  function partsOf(resource: unknown): readonly string[] | null {
    const text = JSON.stringify(resource);
    if (/:secret:[\w-]+\/\*"/.test(text)) return ['secrets of vaults'];
    return /:stateMachine:[\w-]+"/.test(text) ? ['run'] : null;
  }

  function resourceNames(): Record<string, string> {
    const settings = {
      LOG_TABLE: 'log',
      RECORDS_TABLE: 'records',
      CONTENT_BUCKET: 'content',
      PREVIEWS_TABLE: 'previews',
      VAULT_TABLE: 'vaults',
      AUDIT_TABLE: 'audit',
      MEMORY_TABLE: 'memory',
      MODEL_API_KEY_SECRET_ARN: 'model key',
      FIRST_API_KEY_SECRET_ARN: 'first key',
      AUDIT_KEY_ARN: 'audit key',
      REPOSITORY_KEY_ARN: 'repository key',
      AUDIT_HEADS_BUCKET: 'audit heads',
    };
    // Of the other ARNs that a function may use, only that of the cluster's tasks is put together from parts.
    const byId: Record<string, string> = { 'AWS::Partition': 'tasks' };
    for (const [id, resource] of Object.entries(stack.template.Resources)) {
      if (resource.Type !== 'AWS::Lambda::Function') continue;
      byId[id] = String(setting(resource, 'POWERTOOLS_SERVICE_NAME'));
      for (const [name, word] of Object.entries(settings)) {
        const referred = target(setting(resource, name));
        if (referred) byId[referred] = word;
      }
    }
    return byId;
  }
});

describe('stored data', () => {
  /** The table that a setting of the API or of the stream function names. */
  const table = (name: string) => {
    const id = target(setting({ Type: '', Properties: lambda(name === 'PREVIEWS_TABLE' ? 'stream' : 'api') }, name));
    return stack.template.Resources[id ?? ''];
  };

  test('is in encrypted tables that are billed on demand; all except previews are recoverable and outlive the stack', () => {
    for (const name of ['LOG_TABLE', 'RECORDS_TABLE', 'VAULT_TABLE', 'AUDIT_TABLE', 'MEMORY_TABLE']) {
      expect(table(name)).toMatchObject({
        DeletionPolicy: 'Retain',
        Properties: {
          BillingMode: 'PAY_PER_REQUEST',
          SSESpecification: { SSEEnabled: true },
          Replicas: [{ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
        },
      });
    }
  });

  test('of previews expires by `expiresAt`, is deleted with the stack, and has no backup', () => {
    const previews = table('PREVIEWS_TABLE');
    expect(previews).toMatchObject({
      DeletionPolicy: 'Delete',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        SSESpecification: { SSEEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      },
    });
    expect(JSON.stringify(previews)).not.toContain('PointInTimeRecoveryEnabled');
  });

  test('of the audit trail never expires', () => {
    expect(table('AUDIT_TABLE')?.Properties).not.toHaveProperty('TimeToLiveSpecification');
  });

  test('of the log has the position as a number, so that DynamoDB sorts by it', () => {
    const [log] = all('AWS::DynamoDB::GlobalTable');
    expect(log?.['AttributeDefinitions']).toEqual([
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'N' },
    ]);
  });

  test('of records is listed and found by status through sparse indexes, and expires by `expiresAt`', () => {
    const [, records] = all('AWS::DynamoDB::GlobalTable');
    expect(list(records?.['GlobalSecondaryIndexes'])).toMatchObject([
      { IndexName: 'list' },
      { IndexName: 'scope' },
      { IndexName: 'running' },
    ]);
    expect(records?.['TimeToLiveSpecification']).toEqual({ AttributeName: 'expiresAt', Enabled: true });
  });

  test('of memory is listed through an index, and old versions expire by `expiresAt`', () => {
    const memory = table('MEMORY_TABLE')?.Properties;
    expect(list(memory?.['GlobalSecondaryIndexes'])).toMatchObject([{ IndexName: 'list' }]);
    expect(memory?.['TimeToLiveSpecification']).toEqual({ AttributeName: 'expiresAt', Enabled: true });
  });

  test('of vaults is listed through an index, and the marks beside them expire by `expiresAt`', () => {
    const vaults = table('VAULT_TABLE')?.Properties;
    expect(list(vaults?.['GlobalSecondaryIndexes'])).toMatchObject([{ IndexName: 'list' }]);
    expect(vaults?.['TimeToLiveSpecification']).toEqual({ AttributeName: 'expiresAt', Enabled: true });
  });
});

describe('time limits: an inner limit ends before the outer one', () => {
  const SECONDS = { api: 29, stream: 900, harness: 900, execute: 900, 'web-fetch': 60, 'mcp-proxy': 120 };

  test.each(Object.entries(SECONDS))('%s ends after %i seconds', (entry, seconds) => {
    expect(lambda(entry)['Timeout']).toBe(seconds);
  });

  test('execute ends after the longest call that a sandbox accepts', () => {
    const timeoutMs = Number(lambda('execute')['Timeout']) * 1000;
    const request = { call: 'sevt_1', name: 'bash', input: {} };
    expect(ExecuteRequest.safeParse({ ...request, timeoutMs: 1 }).success).toBe(true);
    expect(ExecuteRequest.safeParse({ ...request, timeoutMs }).success).toBe(false);
  });
});

describe('the API in the template', () => {
  test('is regional and throttled as a whole', () => {
    expect(all('AWS::ApiGateway::RestApi')).toMatchObject([{ EndpointConfiguration: { Types: ['REGIONAL'] } }]);
    expect(all('AWS::ApiGateway::Stage')).toMatchObject([
      { MethodSettings: [{ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 }] },
    ]);
  });

  test('has five routes, and a resource that only leads to one has no method', () => {
    const methods = all('AWS::ApiGateway::Method').map(
      ({ HttpMethod, ResourceId }) => `${HttpMethod} ${pathOf(ResourceId)}`,
    );
    expect(methods.toSorted()).toEqual([
      'ANY /v1/{proxy+}',
      'ANY /{unknown+}',
      'GET /openapi.json',
      'GET /v1/files/{file_id}/content',
      'GET /v1/sessions/{session_id}/events/stream',
      'GET /v1/sessions/{session_id}/threads/{thread_id}/stream',
      'GET /v1/skills/{skill_id}/versions/{version}/content',
    ]);
  });

  test('writes no paths, queries or headers into its access log', () => {
    const formats = all('AWS::ApiGateway::Stage').map((stage) => JSON.stringify(stage['AccessLogSetting']));
    expect(formats).toHaveLength(1);
    expect(formats[0]).not.toMatch(/\$context\.path|querystring|header|authorizer|body/i);
  });

  test('answers its own refusals in the envelope of the contract', () => {
    for (const response of all('AWS::ApiGateway::GatewayResponse')) {
      const templates = response['ResponseTemplates'] as Record<string, string>;
      expect(JSON.parse(templates['application/json'] ?? '')).toMatchObject({
        type: 'error',
        error: { type: expect.stringMatching(/_error$|^request_too_large$/) },
        request_id: '$context.requestId',
      });
      expect(response['ResponseParameters']).toMatchObject({ 'gatewayresponse.header.cache-control': "'no-store'" });
    }
  });

  test('refuses a body with a message that names the maximum size', () => {
    const tooLarge = all('AWS::ApiGateway::GatewayResponse').find(
      (response) => response['ResponseType'] === 'REQUEST_TOO_LARGE',
    );
    expect(JSON.stringify(tooLarge)).toContain(`the limit of ${MAX_BODY_BYTES / 1_000_000} MB`);
  });

  function pathOf(resourceId: unknown): string {
    const resource = stack.template.Resources[target(resourceId) ?? ''];
    if (resource?.Type !== 'AWS::ApiGateway::Resource') return '';
    const { ParentId, PathPart } = properties(resource);
    return `${pathOf(ParentId)}/${PathPart}`;
  }
});

describe('the sandbox in the template', () => {
  test('may write to its mounted folders only, and the image makes each of them a volume of the agent user', () => {
    const dockerfile = readFileSync(join(import.meta.dirname, '../../sandbox-task/Dockerfile'), 'utf8');
    const volumes = [...dockerfile.matchAll(/^VOLUME (\[.*\])$/gm)].flatMap(
      ([, json = '[]']) => JSON.parse(json) as string[],
    );
    const definitions = all('AWS::ECS::TaskDefinition');
    const folders = definitions.map((definition) => {
      const [container] = list(definition['ContainerDefinitions']) as { MountPoints: { ContainerPath: string }[] }[];
      return container?.MountPoints.map(({ ContainerPath }) => ContainerPath).toSorted();
    });
    // The egress proxy writes to none.
    expect(folders).toEqual([volumes.toSorted(), volumes.toSorted(), []]);
  });
});

describe('the egress proxy in the template', () => {
  test('is a small task with its settings, in a VPC that the sandboxes’ VPC is peered with', () => {
    const proxy = all('AWS::ECS::TaskDefinition').find(({ TaskRoleArn }) => TaskRoleArn !== undefined);
    expect(proxy).toMatchObject({ Cpu: '256', Memory: '512', RequiresCompatibilities: ['FARGATE'] });
    const [container] = list(proxy?.['ContainerDefinitions']);
    expect(container).toMatchObject({ Command: START_EGRESS_PROXY, PortMappings: [{ ContainerPort: EGRESS_PORT }] });
    const variables = isObject(container) ? list(container['Environment']).filter(isObject) : [];
    const values = Object.fromEntries(variables.map(({ Name, Value }) => [Name, Value]));
    const settings = { ...values, EGRESS_FUNCTION: 'egress', AWS_REGION: 'r', EGRESS_OWN_HOSTS: '[]' };
    expect(EgressProxyVariables.safeParse(settings).success).toBe(true);
    expect(JSON.stringify(values['EGRESS_OWN_HOSTS'])).toContain('.execute-api.');
    const egress = stack.template.Resources[target(values['EGRESS_FUNCTION']) ?? ''];
    expect(egress).toBe(functionOf(stack.template, 'egress'));
    expect(all('AWS::EC2::VPCPeeringConnection')).toHaveLength(1);
  });

  test('is not there where no environment may open anything, with all that belongs to it', () => {
    const { template } = synthesize(OTHER);
    const text = JSON.stringify(template);
    expect(text).not.toMatch(/egress-proxy|VPCPeering|AgentsEgress|"EGRESS_/);
    expect(setting(functionOf(template, 'provision') ?? { Type: '' }, 'NETWORK_MAX')).toBe('none');
    const opened = Object.values(template.Resources)
      .filter(({ Type }) => Type === 'AWS::EC2::SecurityGroup')
      .flatMap((group) => [
        ...list(properties(group)['SecurityGroupEgress']),
        ...list(properties(group)['SecurityGroupIngress']),
      ]);
    expect(JSON.stringify(opened)).not.toContain(String(EGRESS_PORT));
  });
});

describe('a build of packages in the template', () => {
  const groups = () => all('AWS::EC2::SecurityGroup');

  test('is in a VPC of its own, which has a route to the internet', () => {
    const vpcs = all('AWS::EC2::VPCGatewayAttachment').map(({ VpcId }) => JSON.stringify(VpcId));
    const build = groups().find(({ GroupDescription }) => String(GroupDescription).startsWith('Builds'));
    const others = groups().filter((group) => group !== build);
    expect(vpcs).toContain(JSON.stringify(build?.['VpcId']));
    expect(others.map(({ VpcId }) => JSON.stringify(VpcId))).not.toContain(vpcs[0]);
    expect(all('AWS::EC2::NatGateway')).toEqual([]);
  });

  test('may also connect to the ports of the customer’s own sources', () => {
    const sources = { npmRegistry: 'https://npm.example:8443/', goProxy: 'http://go.example:3000,direct' };
    const { template } = synthesize({ packages: JSON.stringify(sources) });
    const ports = Object.values(template.Resources)
      .filter(({ Type }) => Type === 'AWS::EC2::SecurityGroup')
      .map(properties)
      .filter(({ GroupDescription }) => String(GroupDescription).startsWith('Builds'))
      .flatMap((group) => list(group['SecurityGroupEgress']).map((rule) => isObject(rule) && rule['FromPort']));
    expect(ports).toEqual([80, 443, 3000, 8443]);
    const provision = functionOf(template, 'provision');
    expect(JSON.parse(String(provision && setting(provision, 'PACKAGES_SOURCES')))).toEqual(sources);
  });

  test('leaves archives that expire after a month, in a bucket that ends uploads which nothing completes', () => {
    const ofContent = all('AWS::S3::Bucket').filter((bucket) => JSON.stringify(bucket).includes('packages/'));
    const unfinished = { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' };
    expect(ofContent).toMatchObject([
      { LifecycleConfiguration: { Rules: [{ Prefix: 'packages/', ExpirationInDays: 30 }, unfinished] } },
    ]);
  });
});

describe('keys in the template', () => {
  test('include a generated first API key, which a custom resource issues through the function issue-key', () => {
    const [issued] = all('Custom::FirstApiKey');
    expect(stack.template.Resources[target(issued?.['ServiceToken']) ?? '']).toBe(
      functionOf(stack.template, 'issue-key'),
    );
    const generated = all('AWS::SecretsManager::Secret').map((secret) => secret['GenerateSecretString']);
    expect(generated.filter(Boolean)).toEqual([{ ExcludePunctuation: true, PasswordLength: 48 }]);
  });

  test('include an empty secret for the model’s key, which the operator fills', () => {
    const key =
      stack.template.Resources[
        target(setting({ Type: '', Properties: lambda('harness') }, 'MODEL_API_KEY_SECRET_ARN')) ?? ''
      ];
    expect(Object.keys(key?.Properties ?? {})).toEqual(['Description']);
  });
});

describe('the resolver of a VPC answers for', () => {
  const namesOf = (resources: Synthesized, vpc: RegExp): string[] => {
    const lists = Object.entries(resources.template.Resources).filter(
      ([id, { Type }]) => Type === 'AWS::Route53Resolver::FirewallDomainList' && vpc.test(id),
    );
    return lists.flatMap(([, resource]) => list(properties(resource)['Domains']).map(plain)).toSorted();
  };
  /** `Fn::Join` as text; a reference is its name, or the kind of resource that it is to. */
  const plain = (value: unknown): string => {
    if (typeof value === 'string') return value;
    const id = target(value);
    if (id !== undefined) return id.startsWith('AWS::') ? id.slice(5) : id.replace(/^.*Content.*$/, 'content');
    const parts = isObject(value) ? list(list(value['Fn::Join'])[1]) : [];
    return parts.map(plain).join('');
  };
  const fargate = [
    '*.dkr.ecr.Region.URLSuffix',
    'api.ecr.Region.URLSuffix',
    'content.s3.Region.URLSuffix',
    'logs.Region.URLSuffix',
    'prod-Region-starport-layer-bucket.s3.Region.URLSuffix',
  ];

  test('sandboxes and execute: what starts a task, and the stores of execute', () => {
    const stores = ['AccountId.ddb.Region.URLSuffix', 'dynamodb.Region.URLSuffix'];
    expect(namesOf(stack, /HandsNetworkDnsAllowed/)).toEqual([...fargate, ...stores].toSorted());
  });

  test('builds of packages: what starts a task, and the usual hosts of packages', () => {
    const names = namesOf(stack, /HandsPackagesNetworkDnsAllowed/);
    expect(names).toEqual(expect.arrayContaining([...fargate, 'registry.npmjs.org', 'pypi.org', 'deb.debian.org']));
    expect(names.every((name) => !name.startsWith('*') || fargate.includes(name))).toBe(true);
  });

  test('builds with sources of the customer: those in place of the usual ones, and the hosts that the options add', () => {
    const packages = {
      npmRegistry: 'https://npm.example.com:8443/npm/',
      aptSources: ['deb [signed-by=/k] http://apt.example.com/debian bookworm main'],
      goProxy: 'https://go.example.com,direct',
      hosts: ['*.githubusercontent.com'],
      imageUri: 'registry.example.com:5000/builder:1',
    };
    const names = namesOf(synthesize({ packages: JSON.stringify(packages) }), /HandsPackagesNetworkDnsAllowed/);
    const own = ['npm.example.com', 'apt.example.com', 'go.example.com', 'registry.example.com'];
    expect(names).toEqual(expect.arrayContaining([...own, '*.githubusercontent.com', 'pypi.org', 'sum.golang.org']));
    for (const usual of ['registry.npmjs.org', 'deb.debian.org', 'proxy.golang.org'])
      expect(names).not.toContain(usual);
  });
});

describe('observability in the template', () => {
  const metrics = [
    'TimeToFirstToken',
    'TurnDuration',
    'ToolDuration',
    'InputTokens',
    'OutputTokens',
    'ModelErrors',
    'RequestErrors',
  ];

  test.each(metrics)('has the metric %s on the dashboard', (metric) => {
    expect(JSON.stringify(all('AWS::CloudWatch::Dashboard'))).toContain(metric);
  });

  test.each(['execute', 'web-fetch', 'mcp-proxy'])('has the duration of calls of %s on the dashboard', (service) => {
    const body = JSON.stringify(all('AWS::CloudWatch::Dashboard'));
    expect(body).toContain(`\\"ToolDuration\\",\\"service\\",\\"${service}\\"`);
  });

  test('has three saved queries over the logs of every function', () => {
    const queries = all('AWS::Logs::QueryDefinition');
    expect(queries).toHaveLength(3);
    // The function issue-key has no saved query, and the connect function is absent without an identity provider.
    for (const query of queries) expect(list(query['LogGroupNames'])).toHaveLength(ENTRIES.length - 2);
  });
});

test('sweep and sign-audit run every minute, and a failed run is not retried', () => {
  const everyMinute = {
    ScheduleExpression: 'rate(1 minute)',
    Targets: [{ RetryPolicy: { MaximumRetryAttempts: 0 } }],
  };
  expect(all('AWS::Events::Rule')).toMatchObject([everyMinute, everyMinute]);
});

test('signed heads are locked for 400 days in a deployment that keeps what it holds', () => {
  const bucketOf = ({ template }: typeof stack) => {
    const signer = functionOf(template, 'sign-audit') ?? { Type: '' };
    return template.Resources[target(setting(signer, 'AUDIT_HEADS_BUCKET')) ?? '']?.Properties;
  };
  expect(bucketOf(synthesize({ removalPolicy: 'retain' }))).toMatchObject({
    ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 400 } } },
    VersioningConfiguration: { Status: 'Enabled' },
  });
  const other = bucketOf(synthesize({ removalPolicy: 'destroy' }));
  expect(other).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } });
  expect(other).not.toHaveProperty('ObjectLockConfiguration');
});

test('Lambda drops an early provisioning that waited a minute, and repeats none', () => {
  const provision = Object.entries(stack.template.Resources).find(
    ([, resource]) => resource === functionOf(stack.template, 'provision'),
  );
  expect(all('AWS::Lambda::EventInvokeConfig')).toContainEqual(
    expect.objectContaining({
      FunctionName: { Ref: provision?.[0] },
      MaximumEventAgeInSeconds: 60,
      MaximumRetryAttempts: 0,
    }),
  );
});

test.each([
  [{}, '300'],
  [OTHER, '720'],
])('a sandbox ends after an idle time that is an option (%j)', (context, seconds) => {
  const environment = properties(functionOf(synthesize(context).template, 'provision') ?? { Type: '' })['Environment'];
  expect(environment).toMatchObject({ Variables: { SANDBOX_IDLE_SECONDS: seconds } });
});

test('a deleted stack leaves no sandbox: what asks for them goes first, then they end, then their cluster', () => {
  const { Resources } = stack.template;
  const idOf = (type: string) => Object.keys(Resources).find((id) => Resources[id]?.Type === type) ?? '';
  const end = idOf('Custom::EndSandboxes');
  /** Whether CloudFormation makes `needed` before `id`, and so deletes it after that. */
  function needs(id: string, needed: string, seen = new Set<string>()): boolean {
    const resource = Resources[id];
    if (resource === undefined || seen.has(id)) return false;
    seen.add(id);
    const before = [...mentions(resource.Properties), ...list(Object(resource)['DependsOn']).map(String)];
    return before.includes(needed) || before.some((one) => needs(one, needed, seen));
  }
  const harness = Object.keys(Resources).find((id) => Resources[id] === functionOf(stack.template, 'harness')) ?? '';
  const askers = [harness, idOf('AWS::StepFunctions::StateMachine')];
  const needed = [idOf('AWS::ECS::Cluster'), idOf('AWS::ECS::TaskDefinition')];
  expect(askers.filter((asker) => !needs(asker, end))).toEqual([]);
  expect(needed.filter((id) => !needs(end, id))).toEqual([]);
});

test.each([
  [{}, 300, '300'],
  [{ maxOpenStreams: '200', idleStreamSeconds: '60' }, 200, '60'],
  [{ maxOpenStreams: 'account' }, undefined, '300'],
])('open streams are bounded in number and in idle time (%j)', (context, concurrency, seconds) => {
  const stream = properties(functionOf(synthesize(context).template, 'stream') ?? { Type: '' });
  expect(stream['ReservedConcurrentExecutions']).toBe(concurrency);
  expect(stream['Environment']).toMatchObject({ Variables: { IDLE_STREAM_SECONDS: seconds } });
});

test('the outputs tell the base URL and how to read and set the keys', () => {
  expect(Object.keys(stack.template.Outputs).toSorted()).toEqual([
    'AuditKeyFingerprint',
    'BaseUrl',
    'DashboardUrl',
    'FirstApiKeySecretArn',
    'LogTableName',
    'ModelApiKeySecretArn',
    'ReadFirstApiKey',
    'SetModelApiKey',
  ]);
});

test('synthesis looks up nothing in an account', () => {
  expect(stack.missing).toBeUndefined();
});

test('no resource of the template depends on itself', () => {
  const { Resources } = stack.template;
  const done = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    const resource = Resources[id];
    if (!resource || done.has(id)) return;
    expect(path, `${[...path, id].join(' → ')}`).not.toContain(id);
    const dependsOn = 'DependsOn' in resource ? list(resource.DependsOn).map(String) : [];
    for (const next of [...mentions(resource.Properties), ...dependsOn]) visit(next, [...path, id]);
    done.add(id);
  };
  for (const id of Object.keys(Resources)) visit(id, []);
});

test('the bundle of the harness has at most 700 KB', () => {
  expect(stack.sizes['harness']).toBeLessThanOrEqual(700_000);
});
