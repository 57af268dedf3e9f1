import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { ALLOW, answerTo, granted, HERE, listening, said, startProxy, tunnel } from './running-proxy.ts';

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  onTestFinished(() => open.forEach((socket) => socket.destroy()));
  return listening(server);
}

it('carries bytes both ways, and tells connection, bytes and subject when it ends', async () => {
  const port = await serve((socket) => socket.on('data', (chunk) => socket.end(`got ${chunk}`)));
  const proxy = await startProxy();
  const { socket, head } = await tunnel(proxy, `www.example.com:${port}`);
  expect(head).toBe('HTTP/1.1 200 Connection established\r\n\r\n');
  socket.end('twelve bytes');
  expect(await said(socket)).toBe('got twelve bytes');
  const told = { host: 'www.example.com', port, verdict: 'allowed', rule: null, bytesOut: 12, bytesIn: 16 };
  await expect.poll(() => proxy.uses).toEqual([{ ...told, subject: granted().subject, connections: 1, secrets: [] }]);
  const line = proxy.lines.find(([message]) => message === 'use')?.[1];
  expect(line).toEqual({ ...told, workspace: 'wrkspc_1', session: 'sesn_1', durationMs: expect.any(Number) });
});

it('takes greeting, request and first bytes of the tunnel in one packet, and cut anywhere', async () => {
  const port = await serve((socket) => socket.once('data', (chunk) => socket.end(`got ${chunk}`)));
  const proxy = await startProxy();
  const whole = `EGRESS sesn_1/sandbox/1 token-1\nCONNECT www.example.com:${port} HTTP/1.1\r\n\r\nfirst`;
  for (const cuts of [[], [3], [31], [32], [33], [40, 60], [whole.length - 5]]) {
    const socket = await proxy.dial('');
    let from = 0;
    for (const to of [...cuts, whole.length]) {
      socket.write(whole.slice(from, to));
      from = to;
      await sleep(2);
    }
    expect(await said(socket)).toBe('HTTP/1.1 200 Connection established\r\n\r\ngot first');
  }
});

it('lets a side that has sent everything read on', async () => {
  const port = await serve((socket) => {
    socket.on('end', () => setTimeout(() => socket.end('after your end'), 20));
    socket.resume();
  });
  const { socket } = await tunnel(await startProxy(), `www.example.com:${port}`);
  socket.end('all');
  expect(await said(socket)).toBe('after your end');
});

it('tells the server’s end to a program that still sends', async () => {
  let got = '';
  const port = await serve((socket) => {
    socket.end('bye');
    socket.on('data', (chunk) => (got += chunk));
  });
  const { socket, head } = await tunnel(await startProxy(), `www.example.com:${port}`);
  expect(head + (await said(socket))).toContain('bye');
  socket.end('late');
  await expect.poll(() => got).toBe('late');
});

it('ends a tunnel whose server dies, and one whose program dies', async () => {
  const servers: Socket[] = [];
  const port = await serve((socket) => servers.push(socket.on('end', () => socket.destroy()).resume()));
  const proxy = await startProxy();
  const one = await tunnel(proxy, `www.example.com:${port}`);
  await expect.poll(() => servers.length).toBe(1);
  servers[0]?.resetAndDestroy();
  expect(await said(one.socket)).toBe('');
  const other = await tunnel(proxy, `www.example.com:${port}`);
  await expect.poll(() => servers.length).toBe(2);
  other.socket.resetAndDestroy();
  await expect.poll(() => servers[1]?.destroyed).toBe(true);
  await expect.poll(() => proxy.uses.length).toBe(2);
  expect(proxy.connections.count()).toBe(0);
});

it('ends a tunnel that carries nothing for long', async () => {
  const port = await serve(() => undefined);
  const proxy = await startProxy({ times: { idleMs: 100 } });
  const { socket } = await tunnel(proxy, `www.example.com:${port}`);
  expect(await said(socket)).toBe('');
});

it('waits for a reader that is slow, and holds little of what a fast server sends', async () => {
  let sent = 0;
  const chunk = Buffer.alloc(1 << 20);
  const port = await serve((socket) => {
    const push = (): void => {
      while (socket.writable && sent < 200 << 20) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', push);
      }
    };
    push();
  });
  const { socket } = await tunnel(await startProxy(), `www.example.com:${port}`);
  socket.pause();
  let before = -1;
  while (before !== sent) {
    before = sent;
    await sleep(100);
  }
  // Buffers of the kernel, on both sides of the proxy.
  expect(sent).toBeLessThan(40 << 20);
});

it('is pinned: only the answer that was judged is connected to', async () => {
  const port = await serve((socket) => socket.end('inside'));
  const answers = [['93.184.216.34', HERE], ['93.184.216.34'], [HERE]];
  const proxy = await startProxy({
    allow: [],
    resolve: async () => answers.shift() ?? [],
    connectTimes: { connectMs: 300 },
  });
  // One private address among public ones.
  const mixed = await tunnel(proxy, `rebind.example.com:${port}`);
  expect(mixed.head).toMatch(/^HTTP\/1\.1 403 rebind\.example\.com resolves to a loopback address; .*network\.allow/);
  // The first answer is public. A second query would get the private one, so the proxy must not resolve the name twice.
  const first = await tunnel(proxy, `rebind.example.com:${port}`);
  expect([502, 504]).toContain(first.status);
  expect(proxy.resolved).toHaveLength(2);
  const second = await tunnel(proxy, `rebind.example.com:${port}`);
  expect(second.status).toBe(403);
});

it('tries the next address when the first does not answer', async () => {
  const port = await serve((socket) => socket.end('here'));
  const proxy = await startProxy({ resolve: async () => ['127.0.0.77', HERE] });
  const { socket, status } = await tunnel(proxy, `www.example.com:${port}`);
  expect(status).toBe(200);
  socket.destroy();
});

it('says why a host is not reached', async () => {
  const gone = await serve(() => undefined);
  const cases = [
    [
      { resolve: async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) },
      502,
      /could not be resolved \(ENOTFOUND\)/,
    ],
    [{ resolve: async () => [] }, 502, /has no address/],
    [
      { resolve: () => new Promise<never>(() => undefined), connectTimes: { resolveMs: 50 } },
      504,
      /not be resolved within/,
    ],
    [{ resolve: async () => ['127.0.0.99'] }, 502, /could not be reached \(ECONNREFUSED\)/],
  ] as const;
  for (const [options, status, sentence] of cases) {
    const proxy = await startProxy(options);
    const refused = await tunnel(proxy, `www.example.com:${gone}`);
    expect(refused.status).toBe(status);
    expect(refused.head).toMatch(sentence);
    await expect.poll(() => proxy.uses).toMatchObject([{ verdict: 'unreachable', rule: null, connections: 1 }]);
  }
});

it('refuses in the status line and in the body, before the name is resolved', async () => {
  const proxy = await startProxy({ grant: async () => granted({ type: 'limited', hosts: ['www.example.com'] }) });
  const answer = await answerTo(proxy, 'CONNECT evil.example.org:443 HTTP/1.1\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 403 evil\.example\.org is not reached: add it to networking\.allowed_hosts/);
  expect(answer).toMatch(/\r\n\r\nThe egress proxy refused this: .*\(rule allowed_hosts\)\.\n$/);
  expect(proxy.resolved).toEqual([]);
  expect(proxy.uses).toMatchObject([
    { host: 'evil.example.org', port: 443, verdict: 'refused', rule: 'allowed_hosts' },
  ]);
});

it('asks nothing of the resolver beyond a few names of one task at once', async () => {
  const waiting: (() => void)[] = [];
  const proxy = await startProxy({ resolve: () => new Promise((done) => waiting.push(() => done([]))) });
  const many = Array.from({ length: 20 }, () => tunnel(proxy, 'www.example.com:443'));
  await expect.poll(() => proxy.asked.length).toBe(1);
  await sleep(100);
  expect(waiting).toHaveLength(8);
  while (proxy.uses.length < 20) {
    waiting.shift()?.();
    await sleep(1);
  }
  await Promise.all(many);
  expect(proxy.resolved).toHaveLength(20);
});

it.each([
  ['no port', 'www.example.com'],
  ['a path', 'www.example.com:443/path'],
  ['credentials', 'user:secret@www.example.com:443'],
  ['a port that is none', 'www.example.com:65536'],
  ['a URL', 'https://www.example.com:443'],
  ['two hosts', 'www.example.com,other.example.com:443'],
  ['an empty host', ':443'],
])('refuses a CONNECT with %s', async (_what, authority) => {
  const proxy = await startProxy();
  expect(await answerTo(proxy, `CONNECT ${authority} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1\.1 40[03] /);
  expect(proxy.resolved).toEqual([]);
});

it('lets through 200 callers at once, and asks for each of them once', async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const proxy = await startProxy({ allow: ALLOW, keepMs: 60_000, limits: { ofOne: 1000 } });
  const one = async (caller: number): Promise<string> => {
    const socket = await proxy.dial(`EGRESS sesn_${caller}/sandbox/1 token-${caller}\n`);
    socket.write(`CONNECT www.example.com:${port} HTTP/1.1\r\n\r\n`);
    await once(socket, 'data');
    socket.end(`I am ${caller}`);
    return said(socket);
  };
  // All come from one address here, which may speak for eight.
  const answers = await Promise.all(Array.from({ length: 200 }, (_, caller) => one(caller % 8)));
  expect(answers).toEqual(Array.from({ length: 200 }, (_, caller) => `I am ${caller % 8}`));
  expect(proxy.asked).toHaveLength(8);
});
