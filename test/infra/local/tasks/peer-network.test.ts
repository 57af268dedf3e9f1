/** A sandbox reaches running egress proxies, as routes and security groups of the template say, and nothing else. */
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { EGRESS_PORT } from '#contract/egress.ts';
import type { AwsEndpoint, AwsRequest } from '#infra/local/aws/service.ts';
import { createBubblewrapRunner } from '#infra/local/tasks/bubblewrap.ts';
import { createEcsService, type EcsService } from '#infra/local/tasks/ecs.ts';
import { createProcessRunner } from '#infra/local/tasks/process.ts';
import { leads, portsBeyond } from '#infra/local/tasks/reach.ts';
import { serveTaskCredentials, type TaskCredentials } from '#infra/local/tasks/task-credentials.ts';
import type { Template } from '#infra/local/template/parts.ts';
import { readTemplate } from '#infra/local/template/read-template.ts';
import { appAssembly } from '#test/infra/synthesized.ts';
import { createTaskFixture, PORT, shell, type TaskFixture } from './fixture.ts';

/** Says where a connection comes from, and, to a task that asks, what it was given. */
const PROXY = `
import { createServer } from 'node:net';
const [host, port] = process.env.EGRESS_LISTEN.split(':');
const given = Object.entries(process.env).filter(([name]) => /^AWS_|^EGRESS_/.test(name));
createServer((socket) => socket.on('error', () => {}).end(JSON.stringify({ from: socket.remoteAddress, given: Object.fromEntries(given) })))
  .listen(Number(port), host);
process.on('SIGTERM', () => process.exit(0));
`;

/** ECS answers 20 looks a second in the long run. */
const POLLING = { interval: 100, timeout: 20_000 };

const RUNNERS = [
  ...(inject('hasBubblewrap') ? [{ kind: 'bwrap', hasWalls: true, runner: createBubblewrapRunner(null) }] : []),
  { kind: 'process', hasWalls: false, runner: createProcessRunner(null) },
] as const;

const template = readTemplate(appAssembly(), { ModelBaseUrl: 'http://127.0.0.1:1' });
const settingOf = (entry: string, name: string): string =>
  template.functions.find(({ environment }) => environment['POWERTOOLS_SERVICE_NAME'] === entry)?.environment[name] ??
  '';
const place = (kind: 'SANDBOX' | 'EGRESS') => ({
  subnet: settingOf('provision', `${kind}_SUBNETS`).split(',')[0] ?? '',
  groups: [settingOf('provision', `${kind}_SECURITY_GROUP`)],
});

describe('routes and security groups of the template', () => {
  const [sandbox, proxy] = [place('SANDBOX'), place('EGRESS')];
  const elsewhere = { subnet: settingOf('provision', 'EGRESS_SUBNETS').split(',')[1] ?? '', groups: proxy.groups };

  test('lead from a sandbox to the port of the proxy, in each of its subnets, and to nothing else', () => {
    expect(portsBeyond(template, sandbox)).toEqual([EGRESS_PORT]);
    expect([proxy, elsewhere].map((to) => leads(template, sandbox, to, EGRESS_PORT))).toEqual([true, true]);
    expect([443, 8080, 22, EGRESS_PORT + 1].filter((port) => leads(template, sandbox, proxy, port))).toEqual([]);
    expect(leads(template, sandbox, sandbox, EGRESS_PORT)).toBe(false);
  });

  test('lead from the proxy to no sandbox, and from a task of another group to no proxy', () => {
    expect([EGRESS_PORT, 8080, 443].filter((port) => leads(template, proxy, sandbox, port))).toEqual([]);
    const execute = {
      ...sandbox,
      groups: template.securityGroups.map(({ id }) => id).filter((id) => id !== sandbox.groups[0]),
    };
    expect(leads(template, execute, proxy, EGRESS_PORT)).toBe(false);
    expect(portsBeyond(template, { ...sandbox, groups: [] })).toEqual([]);
    expect(portsBeyond(template, { ...sandbox, subnet: 'subnet-none' })).toEqual([]);
  });

  test.each<[string, (changed: { -readonly [Part in keyof Template]: Template[Part] }) => void]>([
    ['without its route', (changed) => (changed.subnets = changed.subnets.map((one) => ({ ...one, peers: [] })))],
    [
      'without the route back',
      (changed) =>
        (changed.subnets = changed.subnets.map((one) => (one.wayOut === null ? one : { ...one, peers: [] }))),
    ],
    [
      'with a route to a part',
      (changed) =>
        (changed.subnets = changed.subnets.map((one) => ({
          ...one,
          peers: one.peers.map((peer) => ({ ...peer, cidr: '10.1.0.0/28' })),
        }))),
    ],
    [
      'where the group lets nothing out',
      (changed) => (changed.securityGroups = changed.securityGroups.map((one) => ({ ...one, egress: [] }))),
    ],
    [
      'where the group lets nothing in',
      (changed) => (changed.securityGroups = changed.securityGroups.map((one) => ({ ...one, ingress: [] }))),
    ],
  ])('do not lead to the proxy %s', (_what, change) => {
    const changed = { ...template };
    change(changed);
    expect(leads(changed, sandbox, proxy, EGRESS_PORT)).toBe(false);
    expect(portsBeyond(changed, sandbox)).toEqual([]);
  });
});

describe.each(RUNNERS)('a sandbox that is a task of kind $kind', ({ runner, hasWalls }) => {
  let fixture: TaskFixture;
  let credentials: TaskCredentials;
  let service: EcsService;
  /** A service of this machine, as the AWS endpoint and the engine of DynamoDB are. */
  let ofMachine: Server;
  let sandbox: string;
  let proxy: { readonly arn: string; readonly host: string };
  const signers: unknown[] = [];

  beforeAll(async () => {
    fixture = await createTaskFixture();
    const { imageDir } = fixture.container;
    await writeFile(join(imageDir ?? '', 'egress-proxy.mjs'), PROXY);
    const tasks = template.tasks.map((task) => ({
      ...task,
      containers: task.containers.map((container) => ({
        ...container,
        imageDir,
        port: container.port === EGRESS_PORT ? EGRESS_PORT : PORT,
      })),
    }));
    const endpoint: AwsEndpoint = {
      url: 'http://127.0.0.1:1',
      credentialsFor: (caller) => (signers.push(caller), { accessKeyId: 'AKIA1', secretAccessKey: 'secret' }),
      close: async () => undefined,
    };
    credentials = await serveTaskCredentials(Promise.resolve(endpoint));
    service = createEcsService({
      template: { ...template, tasks },
      runner,
      maxTasks: 2,
      credentials,
      folder: join(fixture.folder, 'tasks'),
      write: (_container, text) => void fixture.output.push(Buffer.from(text).toString()),
      report: (message) => void fixture.output.push(message),
    });
    ofMachine = createServer((socket) => socket.end('this machine')).listen(0, '127.0.0.1');
    await once(ofMachine, 'listening');
    proxy = await started('EGRESS');
    ({ host: sandbox } = await started('SANDBOX'));
  });
  afterAll(async () => {
    await service.close();
    await credentials.close();
    ofMachine.close();
    await fixture.close();
  });

  const call = async (operation: string, input: object): Promise<Draft> => {
    const headers = { 'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}` };
    const body = Buffer.from(JSON.stringify(input));
    const head = { service: 'ecs', method: 'POST', path: '/', query: new URLSearchParams(), headers, body };
    const caller = { functionName: 'provision', roleArn: 'arn', worker: 'w' };
    const request: AwsRequest = { ...head, operation, caller };
    const { body: answer } = await service.read(request).answer();
    return JSON.parse(String(answer));
  };

  async function run(kind: 'SANDBOX' | 'EGRESS', groups = place(kind).groups): Promise<Draft> {
    const subnets = settingOf('provision', `${kind}_SUBNETS`).split(',');
    const assignPublicIp = kind === 'EGRESS' ? 'ENABLED' : 'DISABLED';
    const taskDefinition = settingOf('provision', `${kind}_TASK_DEFINITION`);
    const networkConfiguration = { awsvpcConfiguration: { subnets, securityGroups: groups, assignPublicIp } };
    return call('RunTask', { taskDefinition, networkConfiguration });
  }

  async function started(...asked: Parameters<typeof run>): Promise<{ readonly arn: string; readonly host: string }> {
    const { taskArn: arn } = (await run(...asked)).tasks[0];
    const running = await vi.waitFor(async () => {
      const [task] = (await call('DescribeTasks', { tasks: [arn] })).tasks;
      if (task.lastStatus !== 'RUNNING') throw new Error(`${task.lastStatus}: ${fixture.output.join('')}`);
      return task;
    }, POLLING);
    const { details } = running.attachments[0];
    return { arn, host: details.find(({ name }: Draft) => name === 'privateIPv4Address').value };
  }

  /** What is said at an address, to the sandbox's own program. */
  const said = async (host: string, port: number, at = sandbox): Promise<string> =>
    (await fetch(`http://${at}:${PORT}/${host}/${port}`)).text();
  /** What is said at an address, to a program that the agent runs. */
  const heard = async (host: string, port: number): Promise<string> =>
    (await shell(sandbox, `bash -c 'exec 3<>/dev/tcp/${host}/${port} && timeout 5 cat <&3' 2>/dev/null`)).stdout;

  test('reaches a running proxy at its address, from its own', async () => {
    expect(JSON.parse(await said(proxy.host, EGRESS_PORT))).toMatchObject({ from: sandbox });
    if (hasWalls) expect(JSON.parse(await heard(proxy.host, EGRESS_PORT))).toMatchObject({ from: sandbox });
  });

  test('sees a proxy that has settings and the credentials of its role, and gets none itself', async () => {
    const { given } = JSON.parse(await said(proxy.host, EGRESS_PORT));
    expect(given).toMatchObject({ EGRESS_IDLE_SECONDS: '300', AWS_REGION: 'us-east-1' });
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: authorization } = given;
    const answer = await fetch(url, { headers: { authorization } });
    expect(await answer.json()).toMatchObject({ AccessKeyId: 'AKIA1', SecretAccessKey: 'secret' });
    const { taskRoleArn } =
      template.tasks.find(({ arn }) => arn === settingOf('provision', 'EGRESS_TASK_DEFINITION')) ?? {};
    expect(signers.at(-1)).toMatchObject({ roleArn: taskRoleArn });
    for (const headers of [{}, { authorization: 'other' }]) expect((await fetch(url, { headers })).status).toBe(403);
    expect((await shell(sandbox, 'env')).stdout).not.toMatch(/AWS_/);
  });

  test('is the only kind of task for which a machine has a limited room', async () => {
    await Promise.all([started('EGRESS'), started('SANDBOX')]);
    expect((await run('SANDBOX')).failures).toMatchObject([{ reason: expect.stringContaining('Capacity') }]);
    await started('EGRESS');
  });

  test.runIf(hasWalls)(
    'reaches no other task, no service of this machine, and no address of a proxy elsewhere',
    async () => {
      const { port } = ofMachine.address() as AddressInfo;
      const stranger = createServer((socket) => socket.end('a stranger')).listen(EGRESS_PORT, '127.62.1.1');
      await once(stranger, 'listening');
      const others: [string, number][] = [
        ['127.0.0.1', port],
        ['127.62.1.1', EGRESS_PORT],
        ['127.0.0.1', EGRESS_PORT],
        [sandbox, EGRESS_PORT],
        [proxy.host, port],
        [proxy.host, PORT],
      ];
      for (const [host, at] of others)
        expect([host, at, await said(host, at), await heard(host, at)]).toEqual([host, at, '', '']);
      stranger.close();
      expect((await shell(sandbox, 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "')).stdout).toBe('lo\n');
    },
  );

  test.runIf(hasWalls)(
    'reaches no proxy with another security group, and what it says to the runtime changes nothing',
    async () => {
      await service.lose();
      proxy = await started('EGRESS');
      const { host } = await started('SANDBOX', []);
      const { host: closed } = await started('EGRESS', []);
      expect(await said(proxy.host, EGRESS_PORT, host)).toBe('');
      ({ host: sandbox } = await started('SANDBOX'));
      expect([await said(closed, EGRESS_PORT), await heard(closed, EGRESS_PORT)]).toEqual(['', '']);
      const lines = [
        '',
        ' ',
        `${proxy.host}`,
        `${proxy.host} x`,
        `127.0.0.1 ${PORT}`,
        `localhost ${EGRESS_PORT}`,
        `${proxy.host} ${EGRESS_PORT} `,
      ];
      const script = `const s = require('net').connect('/run/brainstem/peers.sock', () => s.end(process.argv[1] + '\\\\n')); s.on('error', () => {}).pipe(process.stdout)`;
      const answer = async (line: string) => (await shell(sandbox, `node -e "${script}" "${line}"`)).stdout;
      for (const line of lines) expect(await answer(line)).toBe('');
      expect(JSON.parse(await answer(`${proxy.host} ${EGRESS_PORT}`))).toMatchObject({ from: sandbox });
    },
  );

  test.runIf(hasWalls)('does not reach a proxy that has stopped, nor what takes its address', async () => {
    await call('StopTask', { task: proxy.arn });
    await expect
      .poll(async () => (await call('DescribeTasks', { tasks: [proxy.arn] })).tasks[0].lastStatus)
      .toBe('STOPPED');
    const follower = createServer((socket) => socket.end('another')).listen(EGRESS_PORT, proxy.host);
    await once(follower, 'listening');
    expect([await said(proxy.host, EGRESS_PORT), await heard(proxy.host, EGRESS_PORT)]).toEqual(['', '']);
    const [direct] = await once(connect(EGRESS_PORT, proxy.host), 'data');
    expect(String(direct)).toBe('another');
    follower.close();
  });
});

// Answers of ECS, of which the tests read some fields.
// oxlint-disable-next-line typescript/no-explicit-any
type Draft = any;
