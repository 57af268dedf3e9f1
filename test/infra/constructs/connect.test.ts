import { beforeAll, describe, expect, it } from 'vitest';
import { allowed, functionOf, list, properties, setting, target, type Template } from '#infra/rules/template.ts';
import { synthesize, type Synthesized } from '#test/infra/synthesized.ts';

const IDP_SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:idp-AbCdEf';
const CLIENT_SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:client-AbCdEf';
const MANAGED_SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:managed-AbCdEf';
const OPTIONS = {
  issuer: 'https://idp.example.com',
  clientId: 'brainstem',
  clientSecretArn: IDP_SECRET,
  returnUrls: ['http://localhost:3000'],
  clients: [{ issuer: 'https://as.example.com', clientId: 'known', clientSecretArn: CLIENT_SECRET }],
};

function named(template: Template, entry: string) {
  const found = functionOf(template, entry);
  if (found === undefined) throw new Error(`no function for ${entry}`);
  return found;
}

function rightsOf(template: Template, entry: string) {
  const role = target(properties(named(template, entry))['Role']);
  return Object.values(template.Resources)
    .filter((resource) => list(properties(resource)['Roles']).some((one) => target(one) === role))
    .flatMap(allowed);
}

describe('the connect pages in the template', () => {
  let stack: Synthesized;
  beforeAll(() => {
    stack = synthesize({ connect: JSON.stringify(OPTIONS) });
  });

  const lambda = (entry: string) => named(stack.template, entry);
  const rights = () => rightsOf(stack.template, 'connect');

  it('are served by every method below /connect, without a key, by the same API', () => {
    const [resource] = Object.entries(stack.template.Resources).find(([, { Type, Properties }]) => {
      return Type === 'AWS::ApiGateway::Resource' && Properties?.['PathPart'] === 'connect';
    }) ?? [''];
    const below = Object.entries(stack.template.Resources).filter(([, { Type, Properties }]) => {
      return Type === 'AWS::ApiGateway::Resource' && target(Properties?.['ParentId']) === resource;
    });
    expect(below.map(([, { Properties }]) => Properties?.['PathPart'])).toEqual(['{proxy+}']);
    const methods = Object.values(stack.template.Resources).filter(({ Type, Properties }) => {
      return Type === 'AWS::ApiGateway::Method' && target(Properties?.['ResourceId']) === below[0]?.[0];
    });
    expect(methods.map(({ Properties }) => Properties?.['HttpMethod'])).toEqual(['ANY']);
  });

  it('and the API know the base URL of the pages, with the stage in it', () => {
    const baseUrl = JSON.stringify(setting(lambda('connect'), 'CONNECT_BASE_URL'));
    expect(baseUrl).toContain('/prod/connect');
    expect(JSON.stringify(setting(lambda('api'), 'CONNECT_BASE_URL'))).toBe(baseUrl);
    expect(setting(lambda('api'), 'CONNECT_RETURN_URLS')).toBe('["http://localhost:3000"]');
    expect(JSON.stringify(stack.template.Outputs['ConnectLoginRedirectUrl'])).toContain('/prod/connect/login/callback');
  });

  it('may read the secrets of OAuth clients and their own, and no user’s secret', () => {
    const reading = rights().filter(({ Action }) => Action.includes('secretsmanager:GetSecretValue'));
    const resources = reading.flatMap(({ Resource }) => Resource);
    expect(resources.filter((one) => typeof one === 'string').toSorted()).toEqual([CLIENT_SECRET, IDP_SECRET]);
    const signing = target(setting(lambda('connect'), 'CONNECT_SIGNING_SECRET_ARN'));
    expect(resources.map(target).filter((one) => one !== undefined)).toEqual([signing]);
    const prefix = JSON.stringify(setting(lambda('connect'), 'SECRETS_PREFIX')).replace(/"\]\]\}$/, '');
    for (const one of resources) expect(JSON.stringify(one)).not.toContain(prefix);
    expect(rights().some(({ Action }) => Action.includes('kms:Decrypt'))).toBe(false);
  });

  it('may write credentials and append to logs, and may remove nothing', () => {
    const actions = rights().flatMap(({ Action }) => Action);
    expect(actions).toEqual(expect.arrayContaining(['secretsmanager:PutSecretValue', 'states:StartExecution']));
    expect(actions).not.toContain('dynamodb:DeleteItem');
    expect(actions).not.toContain('lambda:InvokeFunction');
  });

  it('and every function that acts for users know the managed servers', () => {
    const managed = { url: 'https://MCP.example.com/', issuer: 'https://as.example.com', clientId: 'known' };
    const servers = [{ ...managed, clientSecretArn: MANAGED_SECRET }];
    const { template } = synthesize({ connect: JSON.stringify({ ...OPTIONS, managedServers: servers }) });
    const told = ['connect', 'api', 'mcp-proxy'].map((entry) => setting(named(template, entry), 'ENTERPRISE'));
    expect(new Set(told).size).toBe(1);
    expect(JSON.parse(String(told[0]))).toEqual({
      login: { issuer: OPTIONS.issuer, clientId: 'brainstem', clientSecretArn: IDP_SECRET, userClaim: 'sub' },
      servers: [
        {
          ...{
            url: 'https://MCP.example.com/',
            resource: 'https://MCP.example.com/',
            issuer: 'https://as.example.com',
          },
          ...{ clientId: 'known', clientSecretArn: MANAGED_SECRET, scopes: [] },
        },
      ],
    });
    const readable = rightsOf(template, 'mcp-proxy')
      .filter(({ Action }) => Action.includes('secretsmanager:GetSecretValue'))
      .flatMap(({ Resource }) => Resource);
    expect(readable).toEqual(expect.arrayContaining([IDP_SECRET, MANAGED_SECRET]));
    expect(rightsOf(template, 'api').flatMap(({ Resource }) => Resource)).not.toContain(MANAGED_SECRET);
  });

  it('leave the proxy without the login’s secret when there are no managed servers', () => {
    expect(rightsOf(stack.template, 'mcp-proxy').flatMap(({ Resource }) => Resource)).not.toContain(IDP_SECRET);
    expect(setting(lambda('mcp-proxy'), 'ENTERPRISE')).toBe('null');
  });

  it('are refused when two managed servers have the same URL', () => {
    const one = { url: 'https://mcp.example.com/', issuer: 'https://as.example.com', clientId: 'known' };
    const managedServers = [one, { ...one, url: 'https://mcp.example.com' }];
    expect(() => synthesize({ connect: JSON.stringify({ ...OPTIONS, managedServers }) })).toThrow(
      'must have a URL each',
    );
  });

  it('do not exist without an identity provider, and the API has no base URL for them', () => {
    const without = synthesize();
    expect(functionOf(without.template, 'connect')).toBeUndefined();
    const api = functionOf(without.template, 'api');
    expect(api && setting(api, 'CONNECT_BASE_URL')).toBe('none');
  });

  it('are refused at synthesis with the option’s name when an option is malformed', () => {
    for (const wrong of ['{}', '{"issuer":"x","clientId":"y"}', '{"issuer":"https://x.org","clientId":"y","more":1}']) {
      expect(() => synthesize({ connect: wrong })).toThrow('Option connect');
    }
  });
});
