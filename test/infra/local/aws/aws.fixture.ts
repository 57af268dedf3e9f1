/** The AWS services of the small stack. The test answers invocations, and each client signs as one function. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAws, type Aws, type AwsOptions } from '#infra/local/aws/start-aws.ts';
import type { Template } from '#infra/local/template/parts.ts';
import { readTemplate } from '#infra/local/template/read-template.ts';
import { writeCdkOut } from '#test/infra/local/cdk-out.fixture.ts';

export interface AwsWorld {
  readonly aws: Aws;
  readonly template: Template;
  readonly dataDir: string;
  /** Everything that the runtime reported. */
  readonly reports: readonly string[];
  /** The settings with which an SDK client calls as this function. */
  as(functionId: string): {
    region: string;
    endpoint: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
}

export const RUN_ARN = 'arn:aws:states:us-east-1:000000000000:stateMachine:Brainstem-Run';

const dirs: string[] = [];

export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'aws-'));
  dirs.push(dir);
  return dir;
}

export function removeScratchDirs(): void {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
}

export function smallTemplate(resources: Readonly<Record<string, unknown>> = {}): Template {
  const dir = writeCdkOut(resources);
  dirs.push(dir);
  return readTemplate(dir, { ModelBaseUrl: 'http://127.0.0.1:1' });
}

export async function startWorld(options: Partial<AwsOptions> = {}): Promise<AwsWorld> {
  const reports: string[] = [];
  const given = { template: smallTemplate(), dataDir: scratchDir(), invoke: async () => null, ...options };
  const aws = await startAws({ report: (message) => void reports.push(message), ...given });
  // What a start says of the machine is the subject of dynamodb.test.ts.
  reports.length = 0;
  return {
    aws,
    template: given.template,
    dataDir: given.dataDir,
    reports,
    as: (functionId) => {
      const part = given.template.functions.find(({ logicalId }) => logicalId === functionId);
      if (part === undefined) throw new Error(`the small stack has no function ${functionId}`);
      const caller = { functionName: part.name, roleArn: part.roleArn, worker: 'worker-1' };
      return { region: 'us-east-1', endpoint: aws.endpoint.url, credentials: aws.endpoint.credentialsFor(caller) };
    },
  };
}
