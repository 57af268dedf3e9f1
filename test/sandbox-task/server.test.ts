import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callOf, type Sandbox, send, startSandbox, withToken } from './running-sandbox.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());

const post = (body: string | Buffer, headers: Record<string, string> = withToken) =>
  send(sandbox.address, { method: 'POST', path: '/execute', headers, body });

test('the health check is answered without a token', async () => {
  const reply = await send(sandbox.address, { method: 'GET', path: '/health' });
  expect(reply).toEqual({ status: 200, body: { status: 'ready' } });
});

test.each([
  ['missing', {}],
  ['wrong', { authorization: 'Bearer another-token' }],
  ['of another scheme', { authorization: withToken.authorization.replace('Bearer', 'Basic') }],
])('a token that is %s is refused before the body is read', async (_kind, headers: Record<string, string>) => {
  const reply = await post('not json', headers);
  expect(reply).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
});

test.each([
  ['no JSON', 'echo hi', /^body: /],
  ['no object', '[]', /^body: /],
  ['no call id', JSON.stringify({ ...callOf('bash', {}), call: '' }), /^call: /],
  ['an unknown tool', JSON.stringify({ ...callOf('bash', {}), name: 'python' }), /^name: /],
  ['an unknown field', JSON.stringify({ ...callOf('bash', {}), user: 'root' }), /user/],
  ['an input that is a string', JSON.stringify({ ...callOf('bash', {}), input: 'ls' }), /^input: /],
  ['no limit', JSON.stringify({ ...callOf('bash', {}), timeoutMs: undefined }), /^timeoutMs: /],
])('a body with %s is refused with the name of the field', async (_kind, body, message) => {
  const reply = await post(body);
  expect(reply).toMatchObject({
    status: 400,
    body: { error: 'invalid_request', message: expect.stringMatching(message) },
  });
});

test('a body over the limit is refused', async () => {
  const reply = await post(Buffer.alloc(16 * 1024 * 1024 + 1, 'x'));
  expect(reply).toMatchObject({ status: 413, body: { error: 'request_too_large' } });
});

test('a body of many megabytes is served', async () => {
  const call = callOf('write', { file_path: 'big', content: 'x'.repeat(10_000_000) });
  const reply = await post(JSON.stringify(call));
  expect(reply).toMatchObject({ status: 200, body: { output: 'wrote 10000000 bytes to big' } });
});

test.each([
  ['GET', '/execute'],
  ['POST', '/health'],
  ['POST', '/'],
])('%s %s is not found', async (method, path) => {
  const reply = await send(sandbox.address, { method, path, headers: withToken });
  expect(reply).toMatchObject({ status: 404, body: { error: 'not_found' } });
});

test('a call id that is used for another input or tool is refused, in whatever order its keys are', async () => {
  const call = callOf('write', { file_path: 'a', content: 'b' });
  expect(await post(JSON.stringify(call))).toMatchObject({ status: 200, body: { served: 'ran' } });
  for (const other of [{ input: { file_path: 'a', content: 'c' } }, { name: 'edit' }]) {
    const reply = await post(JSON.stringify({ ...call, ...other }));
    expect(reply).toMatchObject({ status: 409, body: { error: 'call_mismatch' } });
  }
  const reordered = { ...call, input: { content: 'b', file_path: 'a' }, timeoutMs: 1 };
  expect(await post(JSON.stringify(reordered))).toMatchObject({ status: 200, body: { served: 'replayed' } });
});

test('log lines about a call name it and hold none of its input or output', async () => {
  const { call } = { call: 'sevt_logged' };
  await post(JSON.stringify(callOf('bash', { command: 'echo canary-$((1+1))' }, { call })));
  const lines = sandbox.lines.filter((line) => line.includes(call));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('canary');
});

test('a running call is ended by a cancel, and its repeat gets the same result', async () => {
  const call = callOf('bash', { command: 'sleep 600' }, { timeoutMs: 800_000 });
  const running = post(JSON.stringify(call));
  const cancel = { method: 'POST', path: '/cancel', headers: withToken, body: JSON.stringify({ call: call.call }) };
  await expect.poll(() => send(sandbox.address, cancel)).toEqual({ status: 200, body: { stopped: true } });
  expect(await running).toMatchObject({
    status: 200,
    body: { isError: true, output: expect.stringContaining('interrupted') },
  });
  expect(await post(JSON.stringify(call))).toMatchObject({ status: 200, body: { isError: true, served: 'replayed' } });
  expect(await send(sandbox.address, cancel)).toEqual({ status: 200, body: { stopped: false } });
});

test('a cancel needs the token and the id of a call', async () => {
  const body = JSON.stringify({ call: 'sevt_1' });
  const at = { method: 'POST', path: '/cancel' };
  expect(await send(sandbox.address, { ...at, body })).toMatchObject({ status: 401 });
  expect(await send(sandbox.address, { ...at, headers: withToken, body: '{}' })).toMatchObject({ status: 400 });
});

test('a program that opens many connections gets some of them, and callers are served again when it closes them', async () => {
  if (!('port' in sandbox.address)) throw new Error('the sandbox of this file listens on TCP');
  const { host, port } = sandbox.address;
  const sockets: Socket[] = [];
  // The kernel loses connections beyond the server's backlog (511), so each 100 are made after the 100 before them.
  for (let batch = 0; batch < 12; batch += 1) {
    const made = Array.from({ length: 100 }, (_, index) =>
      connect({ host, port, localAddress: `127.0.0.${index + 1}` }).on('error', () => undefined),
    );
    for (const socket of made) socket.resume();
    await Promise.all(made.map((socket) => once(socket, 'connect')));
    sockets.push(...made);
  }
  const closed = (): number => sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
  await expect.poll(closed).toBeGreaterThanOrEqual(200);
  for (const socket of sockets) socket.destroy();
  const answered = (): Promise<number> =>
    send(sandbox.address, { path: '/health' }).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(answered).toBe(200);
});
