/** `cdk synth`, `cdk bootstrap` and `cdk deploy` as a user runs them, except that AWS is MiniStack. */
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BIN, type MiniStack } from './ministack.ts';
import { mustRun, say } from './run.ts';

export interface Deployment {
  readonly outputs: Readonly<Record<string, string>>;
  /** The cloud assembly that is deployed. */
  readonly assembly: string;
}

interface DeployOptions {
  readonly aws: Pick<MiniStack, 'url' | 'certificate'>;
  readonly folder: string;
  readonly modelBaseUrl: string;
}

const STACK = 'Brainstem';
/** MiniStack's account and Region. */
const ENVIRONMENT = 'aws://000000000000/us-east-1';
/** An image that exists already, so that the deployment needs no Docker. None of its tasks is started. */
const IMAGE = 'public.ecr.aws/docker/library/node:24-slim';
const CONTEXT = [`sandbox.imageUri=${IMAGE}`, `network.imageUri=${IMAGE}`, 'removalPolicy=destroy'].flatMap(
  (option) => ['-c', option],
);

export async function deploy({ aws, folder, modelBaseUrl }: DeployOptions): Promise<Deployment> {
  const assembly = join(folder, 'assembly');
  const outputsFile = join(folder, 'outputs.json');
  const env = settings(aws, folder);
  const cdk = (...args: string[]) =>
    mustRun(join(BIN, 'cdklocal'), [...args, '--ca-bundle-path', aws.certificate, '--no-notices'], {
      env,
      why: `cdk ${args[0]} failed`,
    });

  say('cdk synth');
  await cdk('synth', '--quiet', '--output', assembly, ...CONTEXT);
  fitTemplate(join(assembly, `${STACK}.template.json`));
  say('cdk bootstrap');
  await cdk('bootstrap', ENVIRONMENT, '--app', assembly);
  say('cdk deploy');
  const deployArgs = ['--require-approval', 'never', '--outputs-file', outputsFile];
  await cdk('deploy', STACK, '--app', assembly, ...deployArgs, '--parameters', `ModelBaseUrl=${modelBaseUrl}`);
  const { [STACK]: outputs } = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>;
  if (outputs === undefined) throw new Error(`cdk deploy wrote no outputs of the stack ${STACK}`);
  return { outputs, assembly };
}

/**
 * An environment without this process's variables, so that no profile of the user is read and no call reaches the real
 * AWS.
 */
function settings(aws: DeployOptions['aws'], folder: string): Record<string, string> {
  return {
    PATH: [BIN, process.env['PATH']].join(delimiter),
    HOME: folder,
    CI: 'true',
    AWS_ENDPOINT_URL: aws.url,
    AWS_ENDPOINT_URL_S3: aws.url,
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
}

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
}

interface Template {
  Resources: Record<string, Resource>;
}

const UNKNOWN = ['AWS::Logs::QueryDefinition', 'AWS::Route53Resolver::', 'AWS::EC2::VPCPeeringConnection'];
/** A route to a peered VPC is nothing without the peering. */
const isUnknown = ({ Type, Properties }: Resource): boolean =>
  UNKNOWN.some((type) => Type.startsWith(type)) || Properties?.['VpcPeeringConnectionId'] !== undefined;

/**
 * Changes what MiniStack 1.5 does not support. It refuses a template with an unknown resource type, and its `Ref` of a
 * secret is the name, so policies would not name an ARN. In AWS, `Ref` and `Id` are both the ARN.
 */
function fitTemplate(file: string): void {
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
  const known = Object.entries(template.Resources).filter(([, resource]) => !isUnknown(resource));
  const ids = new Set(known.map(([id]) => id));
  const resources = known.map(([id, resource]) => {
    const { DependsOn = [] } = resource;
    return [id, { ...resource, DependsOn: DependsOn.filter((dependency) => ids.has(dependency)) }] as const;
  });
  const secrets = resources.filter(([, { Type }]) => Type === 'AWS::SecretsManager::Secret').map(([id]) => id);
  const fitted = { ...template, Resources: Object.fromEntries(resources) };
  const fit = (_key: string, value: unknown): unknown => {
    const secret = secrets.find((id) => isRef(value, id));
    return secret === undefined ? value : { 'Fn::GetAtt': [secret, 'Id'] };
  };
  writeFileSync(file, JSON.stringify(fitted, fit));
}

function isRef(value: unknown, id: string): boolean {
  return typeof value === 'object' && value !== null && 'Ref' in value && value.Ref === id;
}
