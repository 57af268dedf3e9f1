import { createHash, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { javaOptions, keyStoreOf } from '../../sandbox-task/java.ts';

/** The certificates of a key store, read as Java reads it. */
function certificatesIn(store: Buffer): readonly Buffer[] {
  let at = 0;
  const int = () => store.readUInt32BE((at += 4) - 4);
  const bytes = (length: number) => store.subarray(at, (at += length));
  const text = () => bytes(store.readUInt16BE((at += 2) - 2)).toString();
  expect([int(), int()]).toEqual([0xfeed_feed, 2]);
  const names = new Set<string>();
  const found = Array.from({ length: int() }, () => {
    expect(int()).toBe(2);
    names.add(text());
    bytes(8);
    expect(text()).toBe('X.509');
    return bytes(int());
  });
  expect(names.size).toBe(found.length);
  const password = Buffer.from([...'changeit'].flatMap((letter) => [0, letter.codePointAt(0) ?? 0]));
  const signed = createHash('sha1').update(password).update('Mighty Aphrodite').update(store.subarray(0, at));
  expect(bytes(20)).toEqual(signed.digest());
  expect(at).toBe(store.length);
  return found;
}

describe("Java's way out", () => {
  it('has every certificate of the bundle in its key store', () => {
    const some = rootCertificates.slice(0, 5);
    const found = certificatesIn(keyStoreOf(`# a comment\n${some.join('\n')}`));
    expect(found).toEqual(some.map((pem) => new X509Certificate(pem).raw));
    expect(certificatesIn(keyStoreOf(''))).toEqual([]);
  });

  it('is in options, which name no key store when there is none', () => {
    const options = javaOptions('http://127.0.0.1:3128', '/mnt/a.jks');
    expect(options).toContain('-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=3128');
    expect(options).toContain('-Djavax.net.ssl.trustStore=/mnt/a.jks');
    expect(javaOptions('http://127.0.0.1:3128', null)).not.toContain('trustStore');
  });
});
