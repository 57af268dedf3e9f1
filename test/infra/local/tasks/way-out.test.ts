/** A build of packages has one way out, to the hosts of packages and to the stores of the runtime that has started it. */
import { createServer, request, type Server } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createBubblewrapRunner } from '../../../../infra/local/tasks/bubblewrap.ts';
import type { ContainerStart, RunningContainer } from '../../../../infra/local/tasks/runner.ts';
import { openWayOut, WAY_OUT_SOCKET } from '../../../../infra/local/tasks/way-out.ts';
import { createTaskFixture, shell, type TaskFixture } from './fixture.ts';

const NETWORK = { hosts: ['localhost', 'pypi.test', '*.mirror.test', '127.0.0.1'] };

let store: Server;
/** A service of this machine that takes any request, as the engine of DynamoDB does. */
let engine: Server;
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  const serve = async (text: string): Promise<Server> => {
    const server = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  [store, engine] = [await serve('the store'), await serve('the engine')];
});
afterAll(() => [store, engine].forEach((server) => server.close()));

const environment = (): Record<string, string> => ({
  PACKAGES_ORDER_URL: `http://127.0.0.1:${portOf(store)}/bucket/order?X-Amz-Signature=1`,
});

describe('the way out', () => {
  let folder: string;
  let way: Awaited<ReturnType<typeof openWayOut>>;
  let socketPath: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'way-'));
    await mkdir(join(folder, 'run'));
    socketPath = join(folder, 'run', WAY_OUT_SOCKET);
    const start = { taskDir: folder, network: NETWORK, environment: environment() } as unknown as ContainerStart;
    way = await openWayOut(start);
  });
  afterAll(async () => {
    await way.close();
    await rm(folder, { recursive: true });
  });

  async function get(url: string): Promise<string> {
    const [response] = await once(request({ socketPath, path: url }).end(), 'response');
    return `${response.statusCode} ${Buffer.concat(await response.toArray())
      .toString()
      .trim()}`;
  }

  /** The status of CONNECT, and what a GET through the tunnel answers. */
  async function tunnel(authority: string): Promise<string> {
    const socket = connect(socketPath);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`);
    const [first] = await once(socket, 'data');
    const status = String(first).split(' ')[1] ?? '';
    if (status !== '200') return (socket.destroy(), status);
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    return `${status} ${
      Buffer.concat(await socket.toArray())
        .toString()
        .split('\r\n\r\n')[1]
    }`;
  }

  test('leads to the store that the task was given a URL of', async () => {
    expect(await get(`http://127.0.0.1:${portOf(store)}/bucket/order`)).toBe('200 the store');
    expect(await tunnel(`127.0.0.1:${portOf(store)}`)).toBe('200 the store');
  });

  const HIDDEN = (port: number): readonly string[] =>
    [
      ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.77.1.2', '0.0.0.0', '0'],
      ...['localhost', 'LOCALHOST.', 'x.localhost', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
      ...[
        '169.254.169.254',
        '10.0.0.1',
        '203.0.113.9',
        'evil.test',
        'pypi.test.evil.test',
        'mirror.test',
        'user@127.0.0.1',
      ],
    ].map((host) => `${host}:${port}`);

  test('leads to no other service of this machine, by whatever name, and to no host that is not listed', async () => {
    for (const authority of HIDDEN(portOf(engine))) {
      const answers = [await get(`http://${authority}/`), await tunnel(authority)];
      expect([authority, ...answers.map((answer) => answer.slice(0, 3))]).toEqual([authority, '403', '403']);
    }
  });

  test('survives what is no request of a proxy', async () => {
    for (const path of ['/', '*', 'ftp://pypi.test/', 'http://', 'https://pypi.test/', 'file:///etc/passwd'])
      expect([path, (await get(path)).slice(0, 3)]).toEqual([path, '403']);
    for (const authority of ['', ':', ':80', 'a:b', 'pypi.test:99999'])
      expect(await tunnel(authority)).toMatch(/^40[03]$/);
    expect(await get(`http://127.0.0.1:${portOf(store)}/`)).toBe('200 the store');
  });
});

describe.skipIf(!inject('hasBubblewrap'))('a bubblewrap task in a subnet with a way out', () => {
  const host = '127.99.7.1';
  let fixture: TaskFixture;
  let running: RunningContainer;
  beforeAll(async () => {
    fixture = await createTaskFixture();
    running = await createBubblewrapRunner(null).start(await fixture.start(host, environment(), NETWORK));
  });
  afterAll(async () => {
    await running.kill();
    await fixture.close();
  });

  const fetched = async (url: string): Promise<string> => {
    const script = `fetch(process.argv[1]).then(async (r) => console.log(r.status, await r.text()), (e) => console.log('no way'))`;
    return (await shell(host, `node -e "${script}" ${url}`)).stdout.trim();
  };

  test('reaches the store through the proxy, and nothing of this machine in any way', async () => {
    expect(await fetched(`http://127.0.0.1:${portOf(store)}/order`)).toBe('200 the store');
    expect(await fetched(`http://127.0.0.1:${portOf(engine)}/`)).not.toContain('engine');
    const direct = `exec 3<>/dev/tcp/127.0.0.1/${portOf(engine)} && echo reached || echo refused`;
    expect((await shell(host, `bash -c '${direct}' 2>/dev/null`)).stdout).toBe('refused\n');
    expect((await shell(host, 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "')).stdout).toBe('lo\n');
  });

  test('ends with its program, and leaves no proxy', async () => {
    await running.stop();
    expect(await running.exited).toBe(0);
    expect(fixture.output.join('')).toContain('asked to stop');
  });
});
