import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MAX_GREETING_BYTES, type Grant } from '#contract/egress.ts';
import { openConnections } from '../../egress-proxy/open-connections.ts';
import { answerTo, granted, GREETING, listening, said, startProxy, tunnel } from './running-proxy.ts';

it.each([
  ['garbage', '\u0016\u0003\u0001\u0002\n'],
  ['HTTP without a greeting', 'GET http://www.example.com/ HTTP/1.1\r\n\r\n'],
  ['another word', 'egress sesn_1/sandbox/1 token-1\n'],
  ['no token', 'EGRESS sesn_1/sandbox/1\n'],
  ['more than a token', 'EGRESS sesn_1/sandbox/1 token-1 more\n'],
  ['a token that is too long', `EGRESS sesn_1/sandbox/1 ${'t'.repeat(257)}\n`],
  ['characters that are not ASCII', 'EGRESS sesn_1 tök\n'],
  ['a line that is too long', `EGRESS ${'a'.repeat(MAX_GREETING_BYTES)} token-1\n`],
  ['a line without an end', 'a'.repeat(MAX_GREETING_BYTES)],
])('ends a connection that begins with %s, and asks the service nothing', async (_what, greeting) => {
  const proxy = await startProxy();
  const socket = await proxy.dial(greeting);
  expect(await said(socket)).toBe('');
  expect(proxy.asked).toEqual([]);
  await expect.poll(() => proxy.connections.count()).toBe(0);
});

it('ends a connection whose greeting takes too long, also byte by byte', async () => {
  const proxy = await startProxy({ times: { greetingMs: 80 } });
  const silent = await proxy.dial('');
  const slow = await proxy.dial('');
  const dripping = setInterval(() => slow.write('E'), 10);
  expect(await Promise.all([said(silent), said(slow)])).toEqual(['', '']);
  clearInterval(dripping);
});

it('ends a connection whose request takes too long, also header by header', async () => {
  const proxy = await startProxy({ times: { headersMs: 150 } });
  const silent = await proxy.dial();
  const slow = await proxy.dial();
  slow.write('GET http://www.example.com/ HTTP/1.1\r\n');
  const dripping = setInterval(() => slow.write('X-One: 1\r\n'), 20);
  const answers = await Promise.all([said(silent), said(slow)]);
  clearInterval(dripping);
  expect(answers[1]).toMatch(/^(HTTP\/1\.1 400 |$)/);
  await expect.poll(() => proxy.connections.count()).toBe(0);
});

it('ends a connection that is kept for a next request for too long', async () => {
  const proxy = await startProxy({ times: { keepAliveMs: 50 } });
  expect(await answerTo(proxy, 'GET /ca.pem HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
});

it('refuses connections beyond those of one task with a sentence, and takes more when some have ended', async () => {
  const server = createServer((socket) => void socket.resume());
  const port = await listening(server);
  const proxy = await startProxy({ limits: { ofOne: 3 } });
  const open = [];
  for (let one = 0; one < 3; one += 1) open.push(await tunnel(proxy, `www.example.com:${port}`));
  const refused = await tunnel(proxy, `www.example.com:${port}`);
  expect(refused.head).toMatch(/^HTTP\/1\.1 503 this sandbox has as many connections as one may have/);
  open[0]?.socket.destroy();
  await expect.poll(() => proxy.connections.count()).toBe(2);
  expect((await tunnel(proxy, `www.example.com:${port}`)).status).toBe(200);
});

it('leaves a task some connections when another has taken as many as it can', () => {
  const connections = openConnections({ ofOne: 6, ofAll: 10, few: 2 });
  const opened = (address: string, count: number) =>
    Array.from({ length: count }, () => connections.opened(address)).filter(Boolean).length;
  expect(opened('10.0.0.1', 20)).toBe(6);
  expect(opened('10.0.0.2', 20)).toBe(4);
  expect(opened('10.0.0.3', 20)).toBe(2);
  expect(opened('10.0.0.1', 20)).toBe(0);
  connections.closed('10.0.0.3');
  expect(opened('10.0.0.3', 1)).toBe(1);
  expect(connections.count()).toBe(12);
});

it('asks once for all connections of a caller, keeps the grant for its time, and then asks anew', async () => {
  let answer: Grant = granted({ type: 'limited', hosts: [] });
  const proxy = await startProxy({ grant: async () => (await sleep(20), answer), keepMs: 400 });
  const ask = () => answerTo(proxy, 'CONNECT www.example.com:1024 HTTP/1.1\r\n\r\n');
  await Promise.all(Array.from({ length: 20 }, ask));
  expect(proxy.asked).toEqual([{ caller: 'sesn_1/sandbox/1', token: 'token-1', address: '127.0.0.1' }]);
  answer = { status: 'unknown' };
  await expect.poll(ask).toMatch(/^HTTP\/1\.1 407/);
  expect(proxy.asked.length).toBe(2);
});

it('grants nothing to another token of a caller that it knows, nor to another caller with its token', async () => {
  const grant = async ({ caller, token }: { caller: string; token: string }): Promise<Grant> =>
    caller === 'sesn_1/sandbox/1' && token === 'token-1' ? granted() : { status: 'unknown' };
  const proxy = await startProxy({ grant, resolve: async () => [] });
  const status = async (greeting: string) => {
    const socket = await proxy.dial(greeting);
    socket.write('CONNECT www.example.com:443 HTTP/1.1\r\n\r\n');
    return (await said(socket)).slice(9, 12);
  };
  expect(await status(GREETING)).toBe('502');
  expect(await status('EGRESS sesn_1/sandbox/1 token-2\n')).toBe('407');
  expect(await status('EGRESS sesn_1/sandbox/2 token-1\n')).toBe('407');
  expect(await status('EGRESS sesn_1/sandbox/1 token-\n')).toBe('407');
  expect(await status(GREETING)).toBe('502');
  expect(proxy.uses.map(({ verdict }) => verdict)).toEqual(['unreachable', 'unreachable']);
});

it('stops asking for an address that guesses tokens', async () => {
  const proxy = await startProxy({ grant: async () => ({ status: 'unknown' }) });
  for (let guess = 0; guess < 30; guess += 1) {
    const socket = await proxy.dial(`EGRESS sesn_2/sandbox/1 guess-${guess}\n`);
    socket.write('CONNECT www.example.com:443 HTTP/1.1\r\n\r\n');
    expect(await said(socket)).toMatch(/^HTTP\/1\.1 (407|503) /);
  }
  expect(proxy.asked).toHaveLength(8);
});

it('refuses everything while the service cannot be asked, and asks again soon', async () => {
  let fails = true;
  const proxy = await startProxy({
    grant: async () => {
      if (fails) throw new Error('down, with a token-1 in its words');
      return granted();
    },
    resolve: async () => [],
  });
  const ask = () => answerTo(proxy, 'CONNECT www.example.com:443 HTTP/1.1\r\n\r\n');
  expect(await ask()).toMatch(/^HTTP\/1\.1 503 the service could not be asked/);
  expect(await answerTo(proxy, 'GET http://www.example.com/ HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 503/,
  );
  expect(await answerTo(proxy, 'GET /ca.pem HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 503/);
  expect(proxy.resolved).toEqual([]);
  expect(proxy.asked).toHaveLength(1);
  fails = false;
  await expect.poll(ask).toMatch(/^HTTP\/1\.1 502/);
  expect(JSON.stringify(proxy.lines)).not.toContain('token-1');
});

it('ends a connection that its task has ended before anything was decided', async () => {
  let answer = (_grant: Grant): void => undefined;
  const proxy = await startProxy({ grant: () => new Promise((resolve) => (answer = resolve)) });
  const socket = await proxy.dial();
  socket.write('CONNECT www.example.com:443 HTTP/1.1\r\n\r\n');
  await expect.poll(() => proxy.asked.length).toBe(1);
  socket.destroy();
  answer(granted());
  await expect.poll(() => proxy.uses.length).toBe(1);
  await expect.poll(() => proxy.connections.count()).toBe(0);
});
