import { type AttributeValue, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { ECSClient, ListTasksCommand } from '@aws-sdk/client-ecs';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { AroundCall, AwsResponse } from '#infra/local/aws/service.ts';
import { removeScratchDirs, RUN_ARN, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const worlds: AwsWorld[] = [];
const start = async (...given: Parameters<typeof startWorld>): Promise<AwsWorld> => {
  const world = await startWorld(...given);
  worlds.push(world);
  return world;
};

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.aws.close();
});
afterAll(removeScratchDirs);

const ITEM: Record<string, AttributeValue> = { pk: { S: 'sesn_1' }, sk: { S: 'row' } };
const PUT = { TableName: 'Brainstem-Records', Item: ITEM };

test('a call that the role does not allow is denied with the missing statement in the message', async () => {
  const world = await start();
  const denied = new DynamoDBClient(world.as('Harness')).send(new PutItemCommand(PUT));
  await expect(denied).rejects.toMatchObject({
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 400 },
    message:
      'User: arn:aws:sts::000000000000:assumed-role/Brainstem-HarnessRole/Brainstem-Harness is not authorized to perform: ' +
      'dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/Brainstem-Records because no ' +
      'identity-based policy allows the dynamodb:PutItem action. Missing statement: ' +
      '{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"arn:aws:dynamodb:us-east-1:000000000000:table/Brainstem-Records"}',
  });
  expect(world.reports).toHaveLength(1);
});

test('each AWS service denies access in its own error format', async () => {
  const world = await start();
  const harness = world.as('Harness');
  const secretArn = world.template.secrets[0]?.arn ?? '';
  const calls: readonly Promise<unknown>[] = [
    new SFNClient(harness).send(new StartExecutionCommand({ stateMachineArn: RUN_ARN })),
    new SecretsManagerClient(harness).send(new GetSecretValueCommand({ SecretId: secretArn })),
    new LambdaClient(harness).send(new InvokeCommand({ FunctionName: 'Brainstem-Execute' })),
    new S3Client(harness).send(new PutObjectCommand({ Bucket: 'brainstem-content', Key: 'k', Body: 'x' })),
  ];
  const refusals = await Promise.allSettled(calls);
  expect(
    refusals.map((one) => (one.status === 'rejected' ? [one.reason.name, one.reason.$metadata.httpStatusCode] : one)),
  ).toEqual([
    ['AccessDeniedException', 400],
    ['AccessDeniedException', 400],
    ['AccessDeniedException', 403],
    ['AccessDenied', 403],
  ]);
  for (const one of refusals)
    expect(String(one.status === 'rejected' && one.reason.message)).toContain('Missing statement: {"Effect":"Allow"');
});

test('an unknown access key is refused', async () => {
  const world = await start();
  const credentials = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
  const stranger = new DynamoDBClient({ ...world.as('Api'), credentials, maxAttempts: 1 });
  await expect(stranger.send(new PutItemCommand(PUT))).rejects.toThrow('belongs to no worker');
  await expect(stranger.send(new PutItemCommand(PUT))).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
});

test('each worker has credentials of its own, which never change', async () => {
  const { aws, template } = await start();
  const [part] = template.functions;
  const caller = { functionName: part?.name ?? '', roleArn: part?.roleArn ?? '', worker: '1' };
  const first = aws.endpoint.credentialsFor(caller);
  expect(aws.endpoint.credentialsFor(caller)).toEqual(first);
  expect(aws.endpoint.credentialsFor({ ...caller, worker: '2' }).accessKeyId).not.toBe(first.accessKeyId);
});

test('a call to a service that the runtime lacks fails with the service’s name', async () => {
  const world = await start();
  const listed = new ECSClient(world.as('Api')).send(new ListTasksCommand({}));
  await expect(listed).rejects.toThrow('ecs is not among the services played here');
});

test('aroundCall gets each call that is allowed, and may answer instead of the service', async () => {
  const seen: string[] = [];
  const throttle: AwsResponse = {
    status: 400,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: JSON.stringify({ __type: 'ThrottlingException', message: 'slow down' }),
  };
  const aroundCall: AroundCall = async (request, pass) => {
    const call = `${request.caller.functionName} ${request.service}:${request.operation}`;
    const response = seen.length === 0 ? throttle : await pass(request);
    seen.push(`${call} ${response.status}`);
    return response;
  };
  const world = await start({ aroundCall });
  const client = new DynamoDBClient({ ...world.as('Api'), maxAttempts: 1 });
  await expect(client.send(new PutItemCommand(PUT))).rejects.toMatchObject({ name: 'ThrottlingException' });
  await client.send(new PutItemCommand(PUT));
  await client.send(new GetItemCommand({ TableName: 'Brainstem-Records', Key: ITEM })).catch(() => {});
  expect(seen).toEqual(['Brainstem-Api dynamodb:PutItem 400', 'Brainstem-Api dynamodb:PutItem 200']);
});

test('a missing S3 object is answered 403 to a role that may not list the bucket', async () => {
  const world = await start();
  const missing = { Bucket: 'brainstem-content', Key: 'nothing' };
  await expect(new S3Client(world.as('Api')).send(new GetObjectCommand(missing))).rejects.toMatchObject({
    name: 'NoSuchKey',
  });
  await expect(new S3Client(world.as('Harness')).send(new GetObjectCommand(missing))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
});
