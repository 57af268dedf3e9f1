import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sample } from '#test/property-runs.ts';
import { writeRuntimeTemplate } from './runtime.fixture.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const START = fileURLToPath(new URL('../../../infra/local/start.ts', import.meta.url));

/** Nothing else of this machine: its keys would choose another model. */
const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
};

let cdkOut: string;
let data: string;
const started: ChildProcess[] = [];

beforeAll(() => {
  cdkOut = writeRuntimeTemplate();
  data = mkdtempSync(join(tmpdir(), 'brainstem-start-'));
});
afterEach(async () => {
  for (const child of started.splice(0))
    if (child.exitCode === null && child.signalCode === null) await stop(child, 'SIGKILL');
});
afterAll(() => {
  rmSync(cdkOut, { recursive: true });
  rmSync(data, { recursive: true });
});

interface Ready {
  readonly base_url: string;
  readonly api_key: string;
  readonly [field: string]: unknown;
}

interface Started {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ready: Ready | null;
  readonly lines: readonly string[];
}

/** Resolves when the program is ready, or ends before that. */
async function start(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(
    process.execPath,
    [START, '--json', '--port', '0', '--data', data, '--cdk-out', cdkOut, ...args],
    {
      env: { ...ENVIRONMENT, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  const errors: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const lines: string[] = [];
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line));
  await Promise.race([once(reader, 'line'), once(child, 'exit')]);
  const ready = lines[0] === undefined ? null : (JSON.parse(lines[0]) as Ready);
  return { child, stderr: () => errors.join(''), ready, lines };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}

describe('npm start', () => {
  test('prints one JSON line when it is ready, and ends with code 0 on a signal', async () => {
    const { child, ready, lines } = await start();
    expect(ready).toEqual({
      ready: true,
      base_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      api_key: expect.any(String),
      model: expect.stringContaining('stand-in'),
      sandbox: expect.stringMatching(/^(bwrap|docker|process)$/),
      data,
    });
    expect((await fetch(`${ready?.base_url}/v1`, { method: 'POST', body: '{}' })).status).toBe(403);
    expect(await stop(child, 'SIGINT')).toBe(0);
    expect(lines).toHaveLength(1);
  });

  test('names the URL to register at the identity provider when connect is configured', async () => {
    const deployed = 'https://abc.execute-api.us-east-1.amazonaws.com/prod';
    const connected = writeRuntimeTemplate({
      BaseUrl: deployed,
      ConnectLoginRedirectUrl: `${deployed}/connect/login/callback`,
    });
    const { ready } = await start(['--cdk-out', connected]);
    rmSync(connected, { recursive: true });
    expect(ready?.['connect_login_redirect_url']).toBe(`${ready?.base_url}/connect/login/callback`);
  });

  test('continues on the same data after it was killed', async () => {
    const first = await start();
    await stop(first.child, 'SIGKILL');
    const second = await start();
    expect(second.ready?.api_key).toBe(first.ready?.api_key);
  });

  test('refuses a data folder that another process uses', async () => {
    const first = await start();
    const second = await start();
    expect(second.ready).toBeNull();
    expect(second.stderr()).toContain(`process ${first.child.pid}`);
    expect(second.child.exitCode).toBe(1);
  });

  test('names the option to use when the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { child, stderr } = await start(['--port', String(port)]);
    taken.close();
    expect(stderr()).toContain(`Port ${port} is in use. Give another one with --port`);
    expect(child.exitCode).toBe(1);
  });

  test('names the model’s endpoint when a key is given', async () => {
    const { ready } = await start(['--sandbox', 'process'], {
      ANTHROPIC_API_KEY: 'sk-test',
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:9',
    });
    expect(ready?.['model']).toBe('http://127.0.0.1:9');
  });
});

describe('npm start', () => {
  test.each(sample(1, ['SIGTERM', 'SIGINT', 'SIGKILL'] as const))(
    'ends every process that it started when only npm gets %s',
    async (name) => {
      const npm = spawn(
        'npm',
        ['start', '--silent', '--', '--json', '--port', '0', '--data', data, '--cdk-out', cdkOut],
        {
          cwd: REPOSITORY,
          stdio: ['ignore', 'pipe', 'inherit'],
          detached: true,
        },
      );
      started.push(npm);
      const [line] = (await once(createInterface(npm.stdout), 'line')) as [string];
      expect(JSON.parse(line)).toMatchObject({ ready: true });
      await stop(npm, name);
      // A second start finds the data folder free.
      await expect.poll(async () => (await start()).ready !== null, { interval: 500 }).toBe(true);
    },
  );

  test('ends when npm was killed before the program looked for its parent', async () => {
    const { child } = await start([], { NPM_PID: String(2 ** 22 + 1) });
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(0);
  });
});

test('npm run demo ends every process that it started and removes its data when only npm gets SIGTERM', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-npm-demo-'));
  const npm = spawn('npm', ['run', 'demo', '--silent'], {
    cwd: REPOSITORY,
    env: { ...process.env, ANTHROPIC_API_KEY: '', TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  started.push(npm);
  const url = await urlOf(npm.stdout);
  await fetch(url);
  await stop(npm, 'SIGTERM');
  const left = (): readonly string[] => readdirSync(folder).filter((entry) => entry.startsWith('brainstem-demo-'));
  await expect.poll(left).toEqual([]);
  await expect(fetch(url)).rejects.toThrow('fetch failed');
  rmSync(folder, { recursive: true });
});

/** The first URL that a program prints; a warning about the machine may come before it. */
async function urlOf(output: Readable): Promise<string> {
  for await (const line of createInterface(output)) {
    const url = /http:[^ ]+/.exec(line)?.[0];
    if (url === undefined) continue;
    output.resume();
    return url;
  }
  return expect.fail('the program printed no URL');
}
