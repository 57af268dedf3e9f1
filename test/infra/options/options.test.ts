/** From the context of an app to the options of the construct: what is accepted, and how the rest is refused. */
import { describe, expect, it, test } from 'vitest';
import { optionsOfContext } from '#infra/options/options-of-context.ts';
import { OptionsError, parseOptions } from '#infra/options/parse-options.ts';

const read = (context: Readonly<Record<string, unknown>>) => parseOptions(optionsOfContext(context));
const LOGIN = { issuer: 'https://login.example.com', clientId: 'brainstem' };
const HOSTS = [{ host: '127.0.0.1', cidr: '127.0.0.1/32', http: true }];

/** What an app with this context prints. */
function refusal(context: Readonly<Record<string, unknown>>): string {
  try {
    read(context);
  } catch (error) {
    if (error instanceof OptionsError) return error.message;
    throw error;
  }
  throw new Error('the context is accepted');
}

describe('options as context', () => {
  it('have the names of the construct’s properties', () => {
    const { model, removalPolicy } = read({ 'model.provider': 'bedrock', 'model.region': 'eu-west-1' });
    expect(model).toMatchObject({ provider: 'bedrock', region: 'eu-west-1' });
    expect(removalPolicy).toBe('retain');
  });

  it('may be numbers, booleans and JSON in the form of text, as the CLI passes them', () => {
    const options = read({
      ...{ logRetentionDays: '7', 'sandbox.cpu': '1024', 'mcp.hooks.failOpen': 'true' },
      ...{ connect: JSON.stringify(LOGIN), 'webFetch.allow': JSON.stringify(HOSTS) },
    });
    expect(options).toMatchObject({ logRetentionDays: 7, sandbox: { cpu: 1024 }, mcp: { hooks: { failOpen: true } } });
    expect(options).toMatchObject({ connect: LOGIN, webFetch: { allow: HOSTS } });
  });

  it('stay text when the option is text, also when it looks like a number', () => {
    expect(read({ connect: LOGIN, 'connect.clientId': '2026' }).connect?.clientId).toBe('2026');
  });

  it.each([
    ['an object', { mcp: { callsPerMinute: 10 }, throttle: { burst: 5 } }],
    ['JSON', '{"mcp":{"callsPerMinute":10},"throttle":{"burst":5}}'],
  ])('may be %s under the key brainstem, and single options replace its values', (_, brainstem) => {
    const { mcp, throttle } = read({ brainstem, 'mcp.callsPerMinute': '20' });
    expect([mcp.callsPerMinute, throttle.burst]).toEqual([20, 5]);
  });

  it('do not include the context of CDK itself', () => {
    const ofCdk = {
      '@aws-cdk/core:x': true,
      'aws:cdk:y': 1,
      'availability-zones:account=1': [],
      'cli-telemetry': false,
    };
    expect(read(ofCdk)).toEqual(parseOptions({}));
  });
});

test.each([
  [{ removalPolicy: 'keep' }, 'Option removalPolicy must be retain or destroy'],
  [{ oauthTokens: 'dynamodb' }, 'Option oauthTokens must be secrets-manager or dynamodb-kms'],
  [{ 'sandbox.memoryMb': 'much' }, 'Option sandbox.memoryMb must be a number'],
  [{ 'sandbox.memoryMb': 1.5 }, 'Option sandbox.memoryMb must be an integer'],
  [{ 'sandbox.memoryMb': 1 }, 'Option sandbox.memoryMb must be at least 512'],
  [{ 'throttle.burst': 'true' }, 'Option throttle.burst must be a number'],
  [{ 'mcp.hooks.failOpen': 'perhaps' }, 'Option mcp.hooks.failOpen must be true or false'],
  [{ 'model.provider': 'elsewhere' }, 'Option model.provider must be anthropic or bedrock or claude-platform-on-aws'],
  [{ 'model.provider': 'claude-platform-on-aws' }, 'Option model.workspaceId must be set'],
  [{ 'model.region': 'eu-west-1' }, 'Option model.provider must be anthropic or bedrock or claude-platform-on-aws'],
  [
    { 'model.provider': 'anthropic', 'model.region': 'eu-west-1' },
    'Option model.region is not one of provider, baseUrl, silenceSeconds, silenceSecondsOf, apiKeySecretArn, apiKeyKmsKeyArn',
  ],
  [{ connect: 'login' }, 'Option connect must be an object'],
  [{ connect: '{"issuer":' }, 'Option connect must be JSON'],
  [{ brainstem: '{"connect":' }, 'Option brainstem must be JSON'],
  [{ connect: '{"clientId":"brainstem"}' }, 'Option connect.issuer must be set'],
  [{ connect: { ...LOGIN, issuer: 'x' } }, 'Option connect.issuer must be an http or https URL'],
  [{ 'mcp.allow': HOSTS.map(({ host }) => ({ host })) }, 'Option mcp.allow.0.cidr must be a CIDR block'],
  [{ 'packages.npmRegistry': 'nowhere' }, 'Option packages.npmRegistry must be a URL'],
  [{ 'packages.goProxy': 'https://me:secret@go.example' }, 'Option packages.goProxy must hold no user'],
])('the options %j are refused with name and rule', (context, words) => {
  expect(refusal(context)).toContain(words);
});

test.each(['0', '1.5', 'many', '1000001'])('a rate limit of %s a minute is refused', (rate) => {
  expect(refusal({ 'rateLimits.createsPerMinute': rate })).toBe(
    'Option rateLimits.createsPerMinute must be an integer from 1 to 1000000',
  );
});

test('an unknown option is refused with the names of the known ones', () => {
  expect(refusal({ sandboxImage: 'x' })).toMatch(/^Option sandboxImage is not one of model, removalPolicy, .*connect$/);
  expect(refusal({ 'sandbox.image': 'x' })).toBe(
    'Option sandbox.image is not one of imageUri, cpu, memoryMb, idleMinutes, maxHours',
  );
  expect(refusal({ 'packages.npmToken': 'secret' })).toMatch(/^Option packages.npmToken is not one of aptSources, /);
});

test('the refusal has one line for each invalid option, without its value', () => {
  const lines = refusal({ removalPolicy: 'SECRET', 'sandbox.cpu': 'SECRET', 'mcp.allow': '["SECRET"]', SECRE: '' });
  expect(lines.split('\n')).toHaveLength(4);
  expect(lines).not.toContain('SECRET');
});
