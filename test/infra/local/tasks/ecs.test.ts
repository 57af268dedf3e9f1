import {
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  type RunTaskCommandInput,
  type Task,
} from '@aws-sdk/client-ecs';
import { existsSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { type AwsFault, faultAnswer } from '../../../../infra/local/aws/wire.ts';
import type { AwsRequest } from '../../../../infra/local/aws/service.ts';
import type { ContainerPart, TaskDefinitionPart, Template } from '../../../../infra/local/template/parts.ts';
import { createCluster, createTasks } from '#aws/hands/tasks.ecs.ts';
import { mainHand, SessionId } from '#contract/ids.ts';
import { createBubblewrapRunner } from '../../../../infra/local/tasks/bubblewrap.ts';
import { createEcsService, type EcsService } from '../../../../infra/local/tasks/ecs.ts';
import { createRequestRates } from '../../../../infra/local/tasks/request-rates.ts';
import { createProcessRunner } from '../../../../infra/local/tasks/process.ts';
import { createTaskFixture, shell, type TaskFixture } from './fixture.ts';

const CLUSTER = 'arn:aws:ecs:us-east-1:123456789012:cluster/Hands';
const DEFINITION = 'arn:aws:ecs:us-east-1:123456789012:task-definition/Sandbox:1';
const EXECUTION_ROLE = 'arn:aws:iam::123456789012:role/Pull';

const MAX_TASKS = 3;
const MAX_DISK_BYTES = 8_000_000;

const NOWHERE = { vpc: 'vpc-1', cidr: '10.0.0.0/20', peers: [] };
const SUBNETS: Template['subnets'] = [
  { id: 'subnet-1', wayOut: null, hosts: [], ...NOWHERE },
  { id: 'subnet-public', wayOut: 'gateway', hosts: ['pypi.org'], ...NOWHERE },
  { id: 'subnet-nat', wayOut: 'nat', hosts: ['pypi.org'], ...NOWHERE },
];

let fixture: TaskFixture;
let service: EcsService;
let server: Server;
let ecs: ECSClient;

beforeEach(async () => {
  fixture = await createTaskFixture();
  service = serviceOf(fixture.container);
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const asked = awsRequest(request.headers, Buffer.concat(chunks));
      const answered = (async () => service.read(asked).answer())();
      const answer = await answered.catch((error: AwsFault) => faultAnswer('ecs', error));
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  ecs = new ECSClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
});

afterEach(async () => {
  await service.close();
  ecs.destroy();
  server.close();
  await fixture.close();
});

function serviceOf(container: ContainerPart): EcsService {
  const part: TaskDefinitionPart = {
    family: 'Sandbox',
    arn: DEFINITION,
    cpu: 512,
    memoryMb: 1024,
    containers: [container],
    executionRoleArn: EXECUTION_ROLE,
    taskRoleArn: null,
  };
  return createEcsService({
    template: { tasks: [part], subnets: SUBNETS, securityGroups: [], region: 'us-east-1', account: '123456789012' },
    runner: inject('hasBubblewrap') ? createBubblewrapRunner(null) : createProcessRunner(null),
    maxTasks: MAX_TASKS,
    credentials: null,
    maxDiskBytes: MAX_DISK_BYTES,
    lookMs: 100,
    folder: join(fixture.folder, 'tasks'),
    write: () => undefined,
    report: () => undefined,
  });
}

function awsRequest(headers: AwsRequest['headers'], body: Buffer): AwsRequest {
  const unnamed = { service: 'ecs', method: 'POST', path: '/', query: new URLSearchParams(), headers, body };
  const caller = { functionName: 'provision', roleArn: 'arn:aws:iam::123456789012:role/Provision', worker: 'w' };
  return { ...unnamed, operation: service.operation(unnamed), caller };
}

function runInput(more: Partial<RunTaskCommandInput> = {}): RunTaskCommandInput {
  return {
    cluster: CLUSTER,
    taskDefinition: DEFINITION,
    launchType: 'FARGATE',
    clientToken: 'sesn_1-1',
    startedBy: 'sesn_1',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'] } },
    overrides: {
      containerOverrides: [{ name: 'sandbox', environment: [{ name: 'SANDBOX_TOKEN_SHA256', value: 'ab' }] }],
    },
    ...more,
  };
}

async function run(more: Partial<RunTaskCommandInput> = {}): Promise<Task> {
  const { tasks } = await ecs.send(new RunTaskCommand(runInput(more)));
  return tasks?.[0] ?? {};
}

async function describeTask(arn: string | undefined): Promise<Task> {
  const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster: CLUSTER, tasks: [arn ?? ''] }));
  return tasks?.[0] ?? {};
}

async function whenStatus(arn: string | undefined, status: string): Promise<Task> {
  await expect.poll(async () => (await describeTask(arn)).lastStatus, { interval: 50 }).toBe(status);
  return describeTask(arn);
}

const addressOf = (task: Task): string =>
  task.attachments?.[0]?.details?.find(({ name }) => name === 'privateIPv4Address')?.value ?? '';

describe('an ECS task', () => {
  test('runs with its overrides and answers at its private address', async () => {
    const { taskArn, lastStatus } = await run();
    expect(taskArn).toMatch(/^arn:aws:ecs:us-east-1:123456789012:task\/Hands\/[0-9a-f]{32}$/);
    expect(lastStatus).toBe('PROVISIONING');
    const task = await whenStatus(taskArn, 'RUNNING');
    expect(task).toMatchObject({ startedBy: 'sesn_1', desiredStatus: 'RUNNING', launchType: 'FARGATE' });
    expect(task.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address).toBe(addressOf(task));
    expect((await shell(addressOf(task), 'echo $SANDBOX_TOKEN_SHA256')).stdout).toBe('ab\n');
  });

  test('is the same for the same client token, and a conflict with other parameters', async () => {
    const first = await run();
    expect((await run()).taskArn).toBe(first.taskArn);
    await expect(run({ startedBy: 'sesn_2' })).rejects.toMatchObject({
      name: 'ConflictException',
      resourceIds: [first.taskArn],
    });
    expect((await run({ clientToken: 'sesn_1-2' })).taskArn).not.toBe(first.taskArn);
  });

  test('that is stopped names the reason, and leaves no folder', async () => {
    const { taskArn } = await run();
    await whenStatus(taskArn, 'RUNNING');
    await ecs.send(new StopTaskCommand({ cluster: CLUSTER, task: taskArn ?? '', reason: 'session deleted' }));
    const task = await whenStatus(taskArn, 'STOPPED');
    expect(task).toMatchObject({
      stopCode: 'UserInitiated',
      stoppedReason: 'session deleted',
      desiredStatus: 'STOPPED',
    });
    expect(task.containers?.[0]?.exitCode).toBe(0);
    await expect.poll(() => existsSync(join(fixture.folder, 'tasks', taskArn?.split('/').at(-1) ?? ''))).toBe(false);
  });

  test('that is lost ends with the exit code of a killed container', async () => {
    const { taskArn } = await run();
    await whenStatus(taskArn, 'RUNNING');
    expect(await service.lose(taskArn)).toBe(1);
    const task = await describeTask(taskArn);
    expect(task).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'EssentialContainerExited' });
    expect(task.containers?.[0]?.exitCode).toBe(137);
  });

  test('that cannot start its container is stopped with the reason', async () => {
    const environment = [{ name: 'FAIL_START', value: '1' }];
    const { taskArn } = await run({ overrides: { containerOverrides: [{ name: 'sandbox', environment }] } });
    const task = await whenStatus(taskArn, 'STOPPED');
    expect(task.stopCode).toBe('TaskFailedToStart');
    expect(task.stoppedReason).toContain('exited with code 7');
  });

  test.skipIf(!inject('hasBubblewrap')).each([
    ['subnet-1', 'ENABLED', false],
    ['subnet-public', 'DISABLED', false],
    ['subnet-public', 'ENABLED', true],
    ['subnet-nat', 'DISABLED', true],
    ['subnet-unknown', 'ENABLED', false],
  ] as const)('in %s with a public address %s reaches the internet: %s', async (subnet, assignPublicIp, reaches) => {
    const awsvpcConfiguration = { subnets: [subnet], securityGroups: ['sg-1'], assignPublicIp };
    const { taskArn } = await run({ networkConfiguration: { awsvpcConfiguration } });
    const address = addressOf(await whenStatus(taskArn, 'RUNNING'));
    const { stdout } = await shell(address, 'readlink /proc/self/ns/net; echo "$HTTPS_PROXY"');
    const [network = '', proxy = ''] = stdout.trim().split('\n');
    expect(network).not.toBe(readlinkSync('/proc/self/ns/net'));
    expect(proxy !== '').toBe(reaches);
  });

  test.each([
    ['one file', 'head -c 9000000 /dev/zero > big'],
    ['many files', 'for i in $(seq 99); do head -c 90000 /dev/zero > $i; done'],
  ])('that stores more than it may in %s is stopped with the reason', async (_what, command) => {
    const { taskArn } = await run();
    const address = addressOf(await whenStatus(taskArn, 'RUNNING'));
    await shell(address, command).catch(() => undefined);
    const task = await whenStatus(taskArn, 'STOPPED');
    expect(task.stoppedReason).toBe(`it stored more than ${MAX_DISK_BYTES} bytes`);
  });

  test('without a port runs at once and ends by itself', async () => {
    await service.close();
    service = serviceOf({ ...fixture.container, port: 0, command: ['node', '/opt/brainstem/job.mjs'] });
    await writeFile(join(fixture.container.imageDir ?? '', 'job.mjs'), 'process.exitCode = 3;');
    const { taskArn } = await run();
    const task = await whenStatus(taskArn, 'STOPPED');
    expect(task).toMatchObject({ stopCode: 'EssentialContainerExited' });
    expect(task.containers?.[0]?.exitCode).toBe(3);
  });
});

describe('the cluster, as the sweep and provisioning see it,', () => {
  const session = SessionId.parse('sesn_1');
  const START = { tokenSha256: 'ab', archive: null };
  const LONG_HAND = 'h'.repeat(64);
  const place = () => ({
    ...{ ecs, cluster: CLUSTER, taskDefinition: DEFINITION, container: 'sandbox' },
    ...{ subnets: ['subnet-1'], securityGroup: 'sg-1' },
  });
  const tasks = () => createTasks(place(), '300');

  test('refuses a task for which it has no room, and takes it under the same name when it has', async () => {
    const started = [];
    for (let generation = 1; generation <= MAX_TASKS; generation += 1) {
      started.push(await tasks().run(mainHand(session), generation, START));
    }
    const [first] = started.map((run) => (run.status === 'started' ? run.task : ''));
    expect(await tasks().run(mainHand(session), 9, START)).toMatchObject({
      status: 'refused',
      reason: expect.stringMatching(/^Capacity is unavailable at this time/),
    });
    await whenStatus(first, 'RUNNING');
    await tasks().stop(first ?? '');
    await whenStatus(first, 'STOPPED');
    expect(await tasks().run(mainHand(session), 9, START)).toMatchObject({ status: 'started' });
  });

  test('lists its tasks page by page, with what each was started for, and those that end apart', async () => {
    const cluster = createCluster(ecs, CLUSTER);
    async function names(pages: AsyncIterable<readonly { startedBy: string }[]>): Promise<readonly string[]> {
      const all: string[] = [];
      for await (const page of pages) all.push(...page.map(({ startedBy }) => startedBy));
      return all;
    }
    await tasks().run(mainHand(session), 1, START);
    const second = await tasks().run({ session, hand: LONG_HAND }, 2, START);
    expect(await names(cluster.running())).toEqual(['sesn_1/1', `sesn_1/${LONG_HAND}/2`]);
    const task = second.status === 'started' ? second.task : '';
    await whenStatus(task, 'RUNNING');
    await cluster.stop(task);
    expect(await names(cluster.running())).toEqual(['sesn_1/1']);
    await whenStatus(task, 'STOPPED');
    expect(await names(cluster.stopping())).toEqual([]);
    const page = await ecs.send(new ListTasksCommand({ cluster: CLUSTER, maxResults: 1 }));
    expect(page).toMatchObject({ taskArns: [expect.any(String)] });
    expect(page.nextToken).toBeUndefined();
  });

  test.each([
    ['an unknown task definition', { taskDefinition: 'Unknown' }],
    ['a container that it has not', { container: 'other' }],
    ['another endpoint that refuses the connection', { ecs: new ECSClient({ endpoint: 'http://127.0.0.1:1' }) }],
  ])('refuses a start with %s by a value', async (_what, over) => {
    expect(await createTasks({ ...place(), ...over }, '300').run(mainHand(session), 1, START)).toMatchObject({
      status: 'refused',
    });
  });
});

test('ECS takes a hundred requests of a kind at once, and then so many a second', () => {
  let now = 0;
  const take = createRequestRates(() => now);
  const taken = (operation: Parameters<typeof take>[0]): number => {
    for (let count = 0; ; count += 1) {
      try {
        take(operation);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ThrottlingException' });
        return count;
      }
    }
  };
  expect([taken('DescribeTasks'), taken('ListTasks'), taken('RunTask'), taken('StopTask')]).toEqual([100, 0, 100, 0]);
  now += 1000;
  expect([taken('ListTasks'), taken('RunTask'), taken('StopTask')]).toEqual([20, 20, 20]);
});

describe('an ECS request that is refused', () => {
  test.each([
    ['without a network', { networkConfiguration: undefined }, 'InvalidParameterException'],
    [
      'for an undefined container',
      { overrides: { containerOverrides: [{ name: 'other' }] } },
      'InvalidParameterException',
    ],
    [
      'with overrides beyond 8192 characters',
      {
        overrides: { containerOverrides: [{ name: 'sandbox', environment: [{ name: 'A', value: 'x'.repeat(8192) }] }] },
      },
      'InvalidParameterException',
    ],
    ['for an unknown task definition', { taskDefinition: 'Unknown' }, 'ClientException'],
  ])('is one %s', async (_how, input, name) => {
    await expect(run(input)).rejects.toMatchObject({ name });
  });

  test('does not include one for an unknown task, which is reported as missing', async () => {
    const { failures } = await ecs.send(new DescribeTasksCommand({ cluster: CLUSTER, tasks: ['gone'] }));
    expect(failures).toEqual([{ arn: 'gone', reason: 'MISSING' }]);
  });
});

test('RunTask needs rights for the task definition in its cluster and for each role that it passes', () => {
  const body = Buffer.from(
    JSON.stringify(runInput({ overrides: { taskRoleArn: 'arn:aws:iam::123456789012:role/Admin' } })),
  );
  const headers = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.RunTask' };
  expect(service.read(awsRequest(headers, body)).accesses).toEqual([
    {
      action: 'ecs:RunTask',
      resource: DEFINITION,
      context: { 'ecs:cluster': [CLUSTER], 'ecs:enable-execute-command': ['false'] },
    },
    {
      action: 'iam:PassRole',
      resource: EXECUTION_ROLE,
      context: { 'iam:PassedToService': ['ecs-tasks.amazonaws.com'] },
    },
    {
      action: 'iam:PassRole',
      resource: 'arn:aws:iam::123456789012:role/Admin',
      context: { 'iam:PassedToService': ['ecs-tasks.amazonaws.com'] },
    },
  ]);
});
