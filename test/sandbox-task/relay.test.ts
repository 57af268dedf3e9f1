/** The relay of a running sandbox, with a proxy that this test plays: it takes greetings and answers in plain HTTP. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { WayOut } from '#contract/hands.ts';
import { freePort } from '#test/free-port.ts';
import { CERTIFICATE, playProxy } from './played-proxy.ts';
import { callOf, requestsTo, send, startSandbox, withToken } from './running-sandbox.ts';

const WAY_OUT: WayOut = { proxy: null, caller: 'sesn_1/main/1', token: 'secret-of-the-relay', variables: {} };
/** Below the 90 s for which another call is not told. */
const AT_ONCE_MS = 60_000;
const hasCurl = spawnSync('curl', ['--version']).status === 0;

const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function proxy(answer: (request: string) => string) {
  const played = await playProxy(answer);
  ends.push(played.close);
  return played;
}

async function sandbox() {
  const running = await startSandbox('tcp', null, { relayPort: await freePort() });
  ends.push(() => running.close());
  return running;
}

const bash = (command: string, wayOut?: WayOut, call = `call-${Math.random()}`) =>
  callOf('bash', { command }, { call, ...(wayOut && { wayOut }) });

describe('relay', () => {
  it('without a way out, nothing listens and no variable is set', async () => {
    const { post } = await sandbox();
    const { body } = await post(bash('env | grep -ic -e proxy -e ca.bundle; ls -A ../mnt/session'));
    expect(body).toMatchObject({ output: expect.stringMatching(/^0\noutputs/) });
  });

  it.skipIf(!hasCurl)('holds a program until a proxy is known, and the call runs on', async () => {
    const { post } = await sandbox();
    const { address, greetings } = await proxy((request) => `got ${request.trim()}`);
    const call = bash('echo $HTTPS_PROXY | sed s/[0-9]*$//; curl -s http://example.com/x', WAY_OUT);
    const first = await post(call);
    expect(first).toMatchObject({ status: 425, body: { error: 'way_out_awaited' } });
    const second = await post({ ...call, wayOut: { ...WAY_OUT, proxy: address } });
    expect(second).toMatchObject({
      status: 200,
      body: { served: 'joined', output: 'http://127.0.0.1:\ngot GET http://example.com/x HTTP/1.1' },
    });
    expect(new Set(greetings)).toEqual(new Set(['EGRESS sesn_1/main/1 secret-of-the-relay']));
  });

  it.skipIf(!hasCurl)('tells what was refused, each host once, also when the program shows nothing', async () => {
    const { post } = await sandbox();
    const refusal =
      'HTTP/1.1 403 it is not reached: add it to allowed_hosts\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
    const { address } = await proxy(() => refusal);
    const hosts = ['a', 'a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `https://${name}.example`);
    const { body } = await post(bash(`curl -s ${hosts.join(' ')}; true`, { ...WAY_OUT, proxy: address }));
    const { notes } = body as { readonly notes: readonly string[] };
    expect(notes).toHaveLength(6);
    expect(notes[0]).toBe('(The network rules refused a.example: it is not reached: add it to allowed_hosts.)');
    expect(notes[5]).toBe('(They refused 2 more hosts.)');
  });

  it.skipIf(!hasCurl)('a proxy that is gone is told, and the next one serves the same program', async () => {
    const { post } = await sandbox();
    const gone = await proxy(() => 'first');
    const next = await proxy(() => 'second');
    await gone.close();
    const call = bash('curl -s http://example.com/', { ...WAY_OUT, proxy: gone.address });
    expect(await post(call)).toMatchObject({ status: 425, body: { unreachable: gone.address } });
    // The same address again, after it was looked at, is tried again.
    expect(await post(call)).toMatchObject({ status: 425, body: { unreachable: gone.address } });
    const told = await post({ ...call, wayOut: { ...WAY_OUT, proxy: next.address } });
    expect(told).toMatchObject({ status: 200, body: { output: 'second' } });
  });

  describe('a proxy that takes a connection and ends it', () => {
    /** A program that connects, sends its request later, and prints what comes. */
    const program = `
      const { connect } = require('node:net');
      const socket = connect({ port: new URL(process.env.http_proxy).port, allowHalfOpen: true });
      setTimeout(() => socket.end('GET http://example.com/ HTTP/1.1\\r\\n\\r\\n'), 300);
      socket.pipe(process.stdout);`;
    const late = (wayOut: WayOut) => bash(`"${process.execPath}" -e "${program}"`, wayOut);

    /** Says this to each connection, without having read a request. */
    async function hasty(said: string) {
      const open = new Set<Socket>();
      const server = createServer((socket) => {
        open.add(socket.on('error', () => undefined).resume());
        socket.end(said);
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      ends.push(() => {
        server.close();
        for (const socket of open) socket.destroy();
      });
      return { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
    }

    it('before the program asked, is told, and the next one serves the program', async () => {
      const { post } = await sandbox();
      const [gone, next] = [await hasty(''), await proxy(() => 'second')];
      const call = late({ ...WAY_OUT, proxy: gone.address });
      expect(await post(call)).toMatchObject({ status: 425, body: { unreachable: gone.address } });
      const told = await post({ ...call, wayOut: { ...WAY_OUT, proxy: next.address } });
      expect(told).toMatchObject({ status: 200, body: { output: expect.stringMatching(/second$/) } });
    });

    it('with an answer, has answered the program', async () => {
      const { post } = await sandbox();
      const { address } = await hasty('HTTP/1.1 407 who are you\r\ncontent-length: 0\r\n\r\n');
      const told = await post(late({ ...WAY_OUT, proxy: address }));
      expect(told).toMatchObject({
        status: 200,
        body: { output: expect.stringMatching(/^HTTP\/1.1 407 who are you/) },
      });
    });

    it('is followed by two more, and then the program is told', async () => {
      const { post } = await sandbox();
      const [first, second, third] = [await hasty(''), await hasty(''), await hasty('')];
      const call = late({ ...WAY_OUT, proxy: first.address });
      const by = ({ address }: typeof first) => post({ ...call, wayOut: { ...WAY_OUT, proxy: address } });
      expect(await by(first)).toMatchObject({ status: 425, body: { unreachable: first.address } });
      expect(await by(second)).toMatchObject({ status: 425, body: { unreachable: second.address } });
      expect(await by(third)).toMatchObject({
        status: 200,
        body: { output: expect.stringContaining('503 the connection to the network ended before there was an answer') },
      });
    });
  });

  it.skipIf(!hasCurl)('without a proxy, programs are answered with the reason, and the result tells it', async () => {
    const { post } = await sandbox();
    const each = 'curl -s -o /dev/null -w "%{http_code} "';
    const call = bash(`${each} http://example.com/; ${each} http://example.org/`, WAY_OUT);
    expect(await post(call)).toMatchObject({ status: 425 });
    const told = await post({ ...call, wayOut: { ...WAY_OUT, reason: 'there is no capacity' } });
    expect(told.body).toMatchObject({
      output: '503 503 ',
      notes: ['(A program could not reach the network: there is no capacity.)'],
    });
  });

  it('a call whose programs need the certificate begins when it is there, and finds it', async () => {
    const { post, mnt } = await sandbox();
    const { address } = await proxy(() => '');
    const wayOut: WayOut = { ...WAY_OUT, opensTls: true, variables: { API_KEY: 'placeholder_1' } };
    const call = bash(
      'tail -3 "$CURL_CA_BUNDLE"; echo $API_KEY; test "$GIT_SSL_CAINFO" = "$NODE_EXTRA_CA_CERTS"',
      wayOut,
    );
    expect(await post(call)).toMatchObject({ status: 425, body: { error: 'way_out_awaited' } });
    const told = await post({ ...call, wayOut: { ...wayOut, proxy: address } });
    expect(told.body).toMatchObject({ served: 'ran', output: `${CERTIFICATE}placeholder_1` });
    const bundle = readFileSync(`${mnt}/session/.ca-bundle.pem`, 'utf8');
    expect(bundle.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(100);
  });

  it('one call at a time is told, and a repeat of it again', async () => {
    const { address } = await sandbox();
    const { post } = requestsTo(address);
    const wayOut: WayOut = { ...WAY_OUT, opensTls: true };
    const calls = ['a', 'b'].map((call) => ({ ...bash('echo ran', wayOut, call), thread: { id: call } }));
    const [a, b] = [await post(calls[0] ?? {}), post(calls[1] ?? {})];
    expect(a).toMatchObject({ status: 425 });
    expect(await post(calls[0] ?? {})).toMatchObject({ status: 425 });
    const gone = { ...calls[0], wayOut: { ...wayOut, reason: 'none' } };
    expect(await post(gone)).toMatchObject({ status: 200 });
    expect(await b).toMatchObject({ status: 200, body: { output: 'ran' } });
  });

  it.skipIf(!hasCurl)(
    'when the call that was told has ended, the next one is told',
    { timeout: AT_ONCE_MS },
    async () => {
      const { post } = await sandbox();
      const left = bash('(curl -s http://example.com/ &) >/dev/null 2>&1; sleep 0.5', WAY_OUT, 'left');
      expect(await post(left)).toMatchObject({ status: 425 });
      const next = { ...bash('curl -s http://example.com/', WAY_OUT), thread: { id: 'next' } };
      expect(await post(next)).toMatchObject({ status: 425, body: { error: 'way_out_awaited' } });
    },
  );

  it(
    'when the call that was told is interrupted before it begins, the next one is told',
    { timeout: AT_ONCE_MS },
    async () => {
      const { address } = await sandbox();
      const { post } = requestsTo(address);
      const wayOut: WayOut = { ...WAY_OUT, opensTls: true };
      const [told, next] = ['told', 'next'].map((call) => ({
        ...bash('echo ran', wayOut, call),
        thread: { id: call },
      }));
      expect(await post(told ?? {})).toMatchObject({ status: 425 });
      const waiting = post(next ?? {});
      const cancel = { method: 'POST', path: '/cancel', headers: withToken, body: JSON.stringify({ call: 'told' }) };
      expect(await send(address, cancel)).toMatchObject({ status: 200 });
      expect(await waiting).toMatchObject({ status: 425, body: { error: 'way_out_awaited' } });
    },
  );

  it('several first calls at once find it, and a port that is taken keeps none from being made', async () => {
    const relayPort = await freePort();
    const first = await startSandbox('tcp', null, { relayPort });
    const second = await startSandbox('tcp', null, { relayPort });
    ends.push(first.close, second.close);
    const urls = async ({ post }: typeof first) => {
      const calls = ['a', 'b', 'c'].map((id) => post({ ...bash('echo =$https_proxy', WAY_OUT, id), thread: { id } }));
      return (await Promise.all(calls)).map(({ body }) => (body as { readonly output: string }).output);
    };
    expect(new Set(await urls(first))).toEqual(new Set([`=http://127.0.0.1:${relayPort}`]));
    expect(new Set(await urls(second))).toEqual(new Set(['=']));
  });
});
