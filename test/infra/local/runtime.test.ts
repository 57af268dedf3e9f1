import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startRuntime } from '../../../infra/local/runtime.ts';
import { startWatchedRuntime, type WatchedRuntime } from '#test/runtime/watched-runtime.ts';
import { writeRuntimeTemplate } from './runtime.fixture.ts';

const MODEL = { baseUrl: 'http://127.0.0.1:9', apiKey: 'sk-model' };

let cdkOut: string;
let data: string;
let runtime: WatchedRuntime | null = null;
const reports: string[] = [];

beforeAll(() => {
  cdkOut = writeRuntimeTemplate();
});
afterAll(() => rmSync(cdkOut, { recursive: true }));
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'brainstem-runtime-'));
  reports.length = 0;
});
afterEach(async () => {
  await runtime?.close();
  runtime = null;
  rmSync(data, { recursive: true });
});

async function start(): Promise<WatchedRuntime> {
  const report = (message: string): void => void reports.push(message);
  runtime = await startWatchedRuntime({ cdkOut, data, port: 0, sandbox: 'process', model: MODEL, report });
  return runtime;
}

async function restart(): Promise<WatchedRuntime> {
  await runtime?.close();
  return start();
}

/** Lets the API function make an AWS call with its own role. */
async function call(baseUrl: string, service: string, target: string, body: unknown): Promise<Response> {
  return fetch(`${baseUrl}/v1/call`, { method: 'POST', body: JSON.stringify({ service, target, body }) });
}

const log = (name: string): string => readFileSync(join(data, 'logs', `${name}.log`), 'utf8');

describe('a local runtime', () => {
  test('runs a function behind the template’s route, with the AWS services behind it', async () => {
    const { baseUrl, faults } = await start();
    const secret = await call(baseUrl, 'secretsmanager', 'secretsmanager.GetSecretValue', {
      SecretId: 'Brainstem-Key',
    });
    expect(await secret.json()).toMatchObject({ status: 200, answer: { SecretString: expect.any(String) } });
    expect(faults.trace().map(({ call: name }) => name)).toEqual(['secretsmanager:GetSecretValue']);
  });

  test('reports what AWS would bill: requests, invocations, transitions, and the units of each call', async () => {
    const { baseUrl, template, faults, aws, use } = await start();
    faults.disarm();
    const before = use();
    const stateMachineArn = template.machines[0]?.arn ?? '';
    await call(baseUrl, 'states', 'AWSStepFunctions.StartExecution', { stateMachineArn, name: 'run-1', input: '{}' });
    const Item = { pk: { S: 'sesn_1' }, sk: { S: 'row' }, text: { S: 'x'.repeat(2000) } };
    const answer = await call(baseUrl, 'dynamodb', 'DynamoDB_20120810.PutItem', {
      TableName: 'Brainstem-Records',
      Item,
    });
    expect(await answer.json()).toEqual({ status: 200, answer: {} });
    await aws.stepFunctions.idle();
    await expect.poll(() => use().transitions - before.transitions).toBe(['Turn', 'AfterTurn', 'Done'].length);
    const after = use();
    expect(after.requests - before.requests).toBe(2);
    const invoked = (name: string) =>
      (after.functions[name]?.invocations ?? 0) - (before.functions[name]?.invocations ?? 0);
    expect([invoked('api'), invoked('harness')]).toEqual([2, 1]);
    expect(after.functions['harness']?.gbSeconds).toBeGreaterThan(0);
    expect(faults.trace().map(({ call: name, consumed }) => [name, consumed])).toEqual([
      ['states:StartExecution', null],
      ['dynamodb:PutItem', { readUnits: 0, writeUnits: 2 }],
    ]);
  });

  test('denies a call that the function’s role does not allow, and reports the missing statement', async () => {
    const { baseUrl } = await start();
    const target = 'secretsmanager.DeleteSecret';
    const denied = await call(baseUrl, 'secretsmanager', target, { SecretId: 'Brainstem-Key' });
    expect(await denied.json()).toMatchObject({ status: 400, answer: { __type: 'AccessDeniedException' } });
    expect(reports.join('\n')).toContain('secretsmanager:DeleteSecret');
  });

  test('puts the model’s key into its secret and reads the first API key from its own', async () => {
    const { apiKey, aws } = await start();
    expect(aws.secrets.readSecret('ModelApiKey')).toBe('sk-model');
    expect(apiKey).toBe(aws.secrets.readSecret('Key'));
    expect(apiKey).toHaveLength(40);
  });

  test('keeps keys over restarts and runs each custom resource once', async () => {
    const { apiKey } = await start();
    expect((await restart()).apiKey).toBe(apiKey);
    expect(log('api').match(/custom resource/g)).toHaveLength(1);
  });

  test('continues executions that were running when it was closed', async () => {
    const hold = join(data, 'hold');
    writeFileSync(hold, '');
    const { baseUrl, template } = await start();
    const stateMachineArn = template.machines[0]?.arn ?? '';
    const input = JSON.stringify({ hold });
    await call(baseUrl, 'states', 'AWSStepFunctions.StartExecution', { stateMachineArn, name: 'run-1', input });
    await expect.poll(() => log('harness')).toBe('turn\n');

    await runtime?.close();
    rmSync(hold);
    const next = await start();
    expect(next.resumed).toBe(1);
    await next.aws.stepFunctions.idle();
    expect(next.aws.stepFunctions.executions(stateMachineArn)[0]?.end?.status).toBe('SUCCEEDED');
    await expect.poll(() => log('harness')).toBe('turn\nturn\n');
  });

  test('refuses a data folder that is in use', async () => {
    await start();
    await expect(startRuntime({ cdkOut, data, port: 0, sandbox: 'process', model: MODEL })).rejects.toThrow(
      'is in use',
    );
  });

  test('that cannot start releases everything, so that the next one can start', async () => {
    const { baseUrl } = await start();
    const port = Number(new URL(baseUrl).port);
    const other = mkdtempSync(join(tmpdir(), 'brainstem-runtime-'));
    const options = { cdkOut, data: other, sandbox: 'process', model: MODEL } as const;
    await expect(startRuntime({ ...options, port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await (await startRuntime({ ...options, port: 0 })).close();
    rmSync(other, { recursive: true });
  });

  test('warns when sandboxes have no isolation', async () => {
    await start();
    expect(reports.join('\n')).toContain('plain processes');
  });
});

describe('faults of a local runtime', () => {
  test('kill a function at the AWS call that the test names', async () => {
    const { baseUrl, faults } = await start();
    faults.disarm();
    const killed = faults.killDuring({ function: 'api', call: 1, phase: 'before' });
    const response = await call(baseUrl, 'secretsmanager', 'secretsmanager.GetSecretValue', {
      SecretId: 'Brainstem-Key',
    });
    expect(response.status).toBe(502);
    expect(await killed).toMatchObject({ function: 'api', call: 'secretsmanager:GetSecretValue' });
    const again = await call(baseUrl, 'secretsmanager', 'secretsmanager.GetSecretValue', { SecretId: 'Brainstem-Key' });
    expect(again.status).toBe(200);
    expect(faults.trace().map((one) => one.call)).toEqual(Array(2).fill('secretsmanager:GetSecretValue'));
  });
});
