import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../egress-proxy/authority.ts';
import { HERE, listening } from './running-proxy.ts';

async function certificateOf(host: string, { contextFor } = createAuthority()): Promise<X509Certificate> {
  const server = createServer({ SNICallback: (_name, done) => done(null, contextFor(host)) }, (socket) => socket.end());
  const socket = connect({ port: await listening(server), host: HERE, servername: 'any', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const found = socket.getPeerX509Certificate();
  socket.destroy();
  if (found === undefined) throw new Error('the server showed no certificate');
  return found;
}

describe('the authority of a proxy', () => {
  it('is another one in each proxy, and shows its certificate only', () => {
    const [one, other] = [createAuthority(), createAuthority()].map(({ certificate }) => certificate);
    const [first, second] = [one, other].map((pem = '') => new X509Certificate(pem));
    expect(first?.publicKey.equals(second?.publicKey ?? first.publicKey)).toBe(false);
    expect(first?.subject).not.toBe(second?.subject);
    expect(first?.ca).toBe(true);
    expect(one?.match(/-----BEGIN [A-Z ]+-----/g)).toEqual(['-----BEGIN CERTIFICATE-----']);
  });

  it.each([
    ['www.example.com', 'DNS:www.example.com'],
    [`${'a'.repeat(63)}.${'b'.repeat(63)}.example.com`, `DNS:${'a'.repeat(63)}.${'b'.repeat(63)}.example.com`],
    ['xn--bcher-kva.example', 'DNS:xn--bcher-kva.example'],
    ['192.0.2.1', 'IP Address:192.0.2.1'],
    ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
  ])('signs for %s and for nothing else', async (host, name) => {
    const authority = createAuthority();
    const found = await certificateOf(host, authority);
    expect(found.subjectAltName).toBe(name);
    expect(found.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    expect(found.ca).toBe(false);
    expect(found.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(found.validFromDate.getTime()).toBeLessThan(Date.now());
    expect(found.validToDate.getTime()).toBeGreaterThan(Date.now() + 60 * 86_400_000);
  });

  it('makes the certificate of a host once, and forgets the oldest of many', () => {
    const { contextFor } = createAuthority(3);
    const first = contextFor('www.example.com');
    expect(contextFor('www.example.com')).toBe(first);
    for (let at = 0; at < 3; at += 1) contextFor(`${at}.example.com`);
    expect(contextFor('www.example.com')).not.toBe(first);
  });
});
