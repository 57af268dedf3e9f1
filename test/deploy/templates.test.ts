/** The templates of four deployments, judged by cfn-lint for Regions of all three partitions: a Region takes seconds. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BrainstemProps } from '#infra/brainstem.ts';
import { stackAssembly } from '#test/infra/synthesized.ts';
import { installPython, pythonOf } from './python.ts';
import { run, say } from './run.ts';

/** A dependency that a reference makes already: CDK adds one on the role beside the one on its policies. */
const IGNORED = ['W3005'];

const ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret';
const HOOK = 'arn:aws:lambda:us-east-1:111122223333:function:hook';
const ALLOW = [{ host: 'mcp.internal', cidr: '10.0.0.0/16', http: true }];
const IMAGE = '111122223333.dkr.ecr.us-east-1.amazonaws.com/sandbox:1';

interface Variant {
  readonly what: string;
  readonly region: string;
  readonly props: BrainstemProps;
}

const VARIANTS: readonly Variant[] = [
  { what: 'with no option', region: 'us-east-1', props: {} },
  {
    what: 'with all options',
    region: 'cn-north-1',
    props: {
      model: {
        provider: 'anthropic',
        baseUrl: 'https://gateway.example.com',
        apiKeySecretArn: `${ARN}:model-AbCdEf`,
        apiKeyKmsKeyArn: 'arn:aws:kms:us-east-1:111122223333:key/k',
      },
      logRetentionDays: 7,
      maxOpenStreams: 100,
      rateLimits: { createsPerMinute: 300, readsPerMinute: 1200 },
      oauthTokens: 'dynamodb-kms',
      webFetch: { allow: ALLOW },
      network: { max: 'limited', warmProxies: 2, allow: ALLOW, extraCa: '-----BEGIN CERTIFICATE-----\nMA==\n' },
      mcp: { allow: ALLOW, callsPerMinute: 60, hooks: { preFunctionArn: HOOK, postFunctionArn: HOOK } },
      connect: {
        issuer: 'https://login.example.com',
        clientId: 'brainstem',
        clientSecretArn: `${ARN}:login-AbCdEf`,
        clients: [{ issuer: 'https://as.example.com', clientId: 'a', clientSecretArn: `${ARN}:client-AbCdEf` }],
        managedServers: [{ url: 'https://mcp.example.com', issuer: 'https://as.example.com', clientId: 'a' }],
      },
    },
  },
  {
    what: 'on Bedrock, to be removed, whose sandboxes reach nothing',
    region: 'us-gov-west-1',
    props: { model: { provider: 'bedrock' }, removalPolicy: 'destroy', network: { max: 'none' } },
  },
  {
    what: 'on Claude Platform on AWS, with an image of its own',
    region: 'eu-central-1',
    props: {
      model: { provider: 'claude-platform-on-aws', workspaceId: 'wrkspc_1' },
      sandbox: { imageUri: IMAGE, cpu: 1024, memoryMb: 2048 },
      network: { imageUri: IMAGE },
      packages: { imageUri: IMAGE, hosts: ['github.com'] },
    },
  },
];

const LINT = 'import sys; from cfnlint.runner import main; sys.exit(main())';

const installed = await installPython('cfn-lint').catch(
  (cause: unknown) => new Error('cfn-lint is not installed', { cause }),
);
if (installed === false)
  say('SKIPPED: the lint of templates needs cfn-lint from PyPI, and PyPI is out of reach from here');

describe.skipIf(installed === false)('the template', () => {
  it.each(VARIANTS)('of a service $what passes cfn-lint in $region', async ({ region, props }) => {
    if (installed instanceof Error) throw installed;
    const template = join(stackAssembly(props), 'Brainstem.template.json');
    const ignored = IGNORED.flatMap((rule) => ['-i', rule]);
    const { output } = await run(pythonOf('cfn-lint'), ['-c', LINT, '-r', region, ...ignored, '-t', template]);
    expect(output).toBe('');
  });
});
