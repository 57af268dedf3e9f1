import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogFiles } from '../../../../infra/local/lambda/log-files.ts';
import { createPool, type LambdaPool, type PoolOptions } from '../../../../infra/local/lambda/pool.ts';
import type { FunctionPart } from '../../../../infra/local/template/parts.ts';

export interface PoolFixture {
  readonly pool: LambdaPool;
  readonly folder: string;
  /** The ARN of the function with this entry name. */
  arn(service: string): string;
  close(): Promise<void>;
}

export interface FunctionFixture {
  readonly code: string;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly reserved?: number;
}

type Functions = Readonly<Record<string, FunctionFixture>>;

/** A pool over functions written in the test itself. */
export async function startPool(functions: Functions, options: Partial<PoolOptions> = {}): Promise<PoolFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-pool-'));
  const parts = await Promise.all(Object.entries(functions).map(([name, part]) => writeFunction(folder, name, part)));
  const logs = openLogFiles(join(folder, 'logs'));
  const pool = createPool({
    template: { functions: parts, region: 'eu-central-1' },
    endpointUrl: 'http://127.0.0.1:9',
    credentialsFor: ({ worker }) => ({ accessKeyId: `key-of-${worker}`, secretAccessKey: 'secret' }),
    logs,
    ...options,
  });
  return {
    pool,
    folder,
    arn: (service) => parts.find((part) => part.name.endsWith(service))?.arn ?? service,
    async close() {
      await pool.close();
      await logs.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function writeFunction(folder: string, service: string, fixture: FunctionFixture): Promise<FunctionPart> {
  const codeDir = await mkdtemp(join(folder, `${service}-`));
  await writeFile(join(codeDir, 'index.mjs'), fixture.code);
  const name = `Test-${service}`;
  return {
    logicalId: service,
    name,
    arn: `arn:aws:lambda:eu-central-1:123456789012:function:${name}`,
    handler: 'index.handler',
    codeDir,
    timeoutMs: fixture.timeoutMs ?? 60_000,
    memoryMb: 256,
    reserved: fixture.reserved ?? null,
    environment: { POWERTOOLS_SERVICE_NAME: service, ...fixture.environment },
    roleArn: `arn:aws:iam::123456789012:role/${name}`,
  };
}
