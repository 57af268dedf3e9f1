import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCustomResources } from '../../../infra/local/custom-resources.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'brainstem-custom-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

interface Event {
  readonly RequestType: string;
  readonly ResponseURL: string;
  readonly ResourceProperties: unknown;
  readonly PhysicalResourceId?: string;
  readonly OldResourceProperties?: unknown;
}

async function run(properties: Record<string, unknown>, answer: unknown): Promise<Event[]> {
  const events: Event[] = [];
  const invoke = async (_arn: string, payload: unknown): Promise<void> => {
    const event = payload as Event;
    events.push(event);
    if (answer !== null) await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify(answer) });
  };
  const part = { logicalId: 'Issued', type: 'Custom::FirstApiKey', functionArn: 'arn:issue', properties };
  const template = { customResources: [part], region: 'us-east-1', account: '123456789012' };
  await runCustomResources({ template, dataDir, invoke });
  return events;
}

const SUCCESS = { Status: 'SUCCESS', PhysicalResourceId: 'key-1' };

describe('a custom resource of the local runtime', () => {
  test('is created once, with the request that CloudFormation would send', async () => {
    const [event, ...others] = await run({ SecretArn: 'a' }, SUCCESS);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      RequestType: 'Create',
      LogicalResourceId: 'Issued',
      ResourceType: 'Custom::FirstApiKey',
      ResourceProperties: { ServiceToken: 'arn:issue', SecretArn: 'a' },
    });
    expect(await run({ SecretArn: 'a' }, SUCCESS)).toEqual([]);
  });

  test('is updated when its properties change', async () => {
    await run({ SecretArn: 'a' }, SUCCESS);
    expect(await run({ SecretArn: 'b' }, SUCCESS)).toMatchObject([
      { RequestType: 'Update', PhysicalResourceId: 'key-1', OldResourceProperties: { SecretArn: 'a' } },
    ]);
  });

  test('that fails is reported with its reason, and requested again at the next start', async () => {
    await expect(run({}, { Status: 'FAILED', Reason: 'no table' })).rejects.toThrow(
      'Custom resource Issued failed: no table',
    );
    expect(await run({}, SUCCESS)).toMatchObject([{ RequestType: 'Create' }]);
  });

  test('that sends no answer stops the start with an error', async () => {
    await expect(run({}, null)).rejects.toThrow('ended without an answer');
  });
});
