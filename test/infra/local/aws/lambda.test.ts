import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { Invoke } from '#infra/local/lambda/invoke.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const worlds: AwsWorld[] = [];
const start = async (invoke: Invoke): Promise<AwsWorld> => {
  const world = await startWorld({ invoke });
  worlds.push(world);
  return world;
};
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.aws.close();
});
afterAll(removeScratchDirs);

const text = (payload: Uint8Array | undefined): unknown => JSON.parse(Buffer.from(payload ?? []).toString());

test('a synchronous Lambda invocation returns the result', async () => {
  const world = await start(async (arn, payload) => ({ arn, payload }));
  const command = new InvokeCommand({ FunctionName: 'Brainstem-Execute', Payload: Buffer.from('{"n":1}') });
  const answer = await new LambdaClient(world.as('Api')).send(command);
  expect(text(answer.Payload)).toEqual({
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:Brainstem-Execute',
    payload: { n: 1 },
  });
  expect(answer.FunctionError).toBeUndefined();
});

test('a Lambda function that throws is answered with the name of its error', async () => {
  const world = await start(async () => {
    throw Object.assign(new Error('said why'), { name: 'Sandbox.Timedout' });
  });
  const answer = await new LambdaClient(world.as('Api')).send(new InvokeCommand({ FunctionName: 'Brainstem-Execute' }));
  expect(answer.FunctionError).toBe('Unhandled');
  expect(text(answer.Payload)).toEqual({ errorType: 'Sandbox.Timedout', errorMessage: 'said why' });
});

test('an asynchronous Lambda invocation is accepted at once, and its failure is reported', async () => {
  const failing = Promise.withResolvers<unknown>();
  const world = await start(() => failing.promise);
  const command = new InvokeCommand({
    FunctionName: 'Brainstem-Execute',
    InvocationType: 'Event',
    Payload: Buffer.from('{}'),
  });
  expect((await new LambdaClient(world.as('Api')).send(command)).StatusCode).toBe(202);
  failing.reject(Object.assign(new Error('x'), { name: 'Lambda.Unknown' }));
  await expect.poll(() => world.reports).toEqual(['Brainstem-Execute: asynchronous invocation failed: Lambda.Unknown']);
});

test('a Lambda function that the template lacks is not found', async () => {
  const world = await start(async () => null);
  const unknown = new LambdaClient(world.as('Api')).send(new InvokeCommand({ FunctionName: 'unknown' }));
  await expect(unknown).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
