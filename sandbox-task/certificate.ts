/** The certificate of the egress proxy's authority, and the bundle in which programs find it. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { rootCertificates } from 'node:tls';
import { asServer } from './as-agent.ts';
import { keyStoreOf } from './java.ts';

const PATIENCE_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const PEM = /^\s*(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;

/** Asks on a connection that has been greeted, and ends it. Null when there is no such answer. */
export async function certificateFrom(connection: Socket): Promise<string | null> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const asked = request({
      createConnection: () => connection,
      path: '/ca.pem',
      headers: { host: 'egress-proxy' },
      signal,
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    asked.once('error', reject).once('response', (response) => {
      if (response.statusCode === 200 && Number(response.headers['content-length'] ?? 0) <= MAX_BYTES)
        text(response).then(resolve, reject);
      else reject(new Error(`the proxy answered ${response.statusCode}`));
    });
    asked.end();
    const pem = await promise;
    return PEM.test(pem) ? pem : null;
  } catch {
    return null;
  } finally {
    connection.destroy();
  }
}

/** Where systems keep the certificates of public authorities. */
const SYSTEM = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

function publicAuthorities(): string {
  for (const path of SYSTEM) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Another system keeps them elsewhere.
    }
  }
  return rootCertificates.join('\n');
}

export interface Bundle {
  /** Certificates in PEM. */
  readonly path: string;
  /** The same ones for Java. */
  readonly keyStore: string;
  write(certificate: string): void;
}

/**
 * The certificates of public authorities and of the egress proxy's, in two files. They belong to the server, in a folder of the
 * server, where there are two users. Programs find each whole at every moment.
 */
export function createBundle(mnt: string): Bundle {
  const path = join(mnt, 'session', '.ca-bundle.pem');
  const keyStore = join(mnt, 'session', '.ca-bundle.jks');
  const authorities = publicAuthorities();
  const replace = (file: string, bytes: string | Buffer): void => {
    const whole = join(dirname(file), '.ca-bundle.new');
    writeFileSync(whole, bytes, { mode: 0o644 });
    renameSync(whole, file);
  };
  return {
    path,
    keyStore,
    write(certificate) {
      const all = `${authorities}\n${certificate}`;
      asServer(() => {
        replace(path, all);
        replace(keyStore, keyStoreOf(all));
      });
    },
  };
}
