/**
 * Java reads neither the variables of a proxy nor certificates in PEM. It takes options in a variable, and certificates in
 * a key store; each version reads the form that Java 1.2 wrote ("JKS"), which holds certificates without a password.
 */
import { createHash } from 'node:crypto';

const MAGIC = 0xfeed_feed;
const VERSION = 2;
const CERTIFICATE = 2;
/** Only programs that change the store ask for it. */
const PASSWORD = 'changeit';

export function keyStoreOf(certificates: string): Buffer {
  const found = certificates.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const entries = found.map((pem, at) => {
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ''), 'base64');
    return Buffer.concat([
      int(CERTIFICATE),
      text(`authority-${at}`),
      Buffer.alloc(8),
      text('X.509'),
      int(der.length),
      der,
    ]);
  });
  const store = Buffer.concat([int(MAGIC), int(VERSION), int(entries.length), ...entries]);
  const password = Buffer.from(PASSWORD, 'utf16le').swap16();
  return Buffer.concat([store, createHash('sha1').update(password).update('Mighty Aphrodite').update(store).digest()]);
}

/** The value of `JAVA_TOOL_OPTIONS`, which each start of Java tells on its error output. */
export function javaOptions(proxy: string, keyStore: string | null): string {
  const { hostname, port } = new URL(proxy);
  const proxied = ['http', 'https'].flatMap((scheme) => [
    `-D${scheme}.proxyHost=${hostname}`,
    `-D${scheme}.proxyPort=${port}`,
  ]);
  const trusted = keyStore === null ? [] : [`-Djavax.net.ssl.trustStore=${keyStore}`];
  return [...proxied, '-Dhttp.nonProxyHosts=localhost|127.*|[::1]', ...trusted].join(' ');
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}
