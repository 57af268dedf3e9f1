import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PLACEHOLDER, SECRET, serveEcho, stage } from './opened-stage.ts';

const HOST = 'www.example.com';
const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');

/** The program and its arguments, of which the last is the URL. */
const CLIENTS: readonly (readonly [string, readonly string[]])[] = [
  ['curl', ['curl', '-sS', '-H', `x-key: ${PLACEHOLDER}`]],
  [
    "Node's fetch",
    [
      NODE,
      '-e',
      `fetch(process.argv[1], { headers: { 'x-key': '${PLACEHOLDER}' } }).then(async (r) => console.log(await r.text()))`,
    ],
  ],
  [
    'Python, with the strict rules that are its default from 3.13 on',
    [
      'python3',
      '-c',
      `
import ssl, sys, urllib.request as u
context = ssl.create_default_context()
context.verify_flags |= ssl.VERIFY_X509_STRICT
opener = u.build_opener(u.ProxyHandler(), u.HTTPSHandler(context=context))
print(opener.open(u.Request(sys.argv[1], headers={'x-key': '${PLACEHOLDER}'})).read().decode())`,
    ],
  ],
];

describe('an opened tunnel', () => {
  it.each(CLIENTS)('works for %s', async (_name, [program = '', ...args]) => {
    const { port, got } = await serveEcho();
    const { run } = await stage();
    expect(await run(program, ...args, `https://${HOST}:${port}/`)).toContain(PLACEHOLDER);
    expect(Buffer.from(String(got[0]?.headers['x-key']), 'latin1').toString()).toBe(SECRET);
  });

  it('has a certificate that OpenSSL finds right in its strict mode', async () => {
    const { port } = await serveEcho();
    const { run, ca, env } = await stage();
    const to = ['-proxy', env.HTTPS_PROXY.slice('http://'.length), '-connect', `${HOST}:${port}`, '-servername', HOST];
    const how = [
      '-CAfile',
      ca,
      '-x509_strict',
      '-verify_return_error',
      '-verify_hostname',
      HOST,
      '-alpn',
      'h2,http/1.1',
    ];
    const told = await run('sh', '-c', 'openssl s_client "$@" </dev/null', 'sh', ...to, ...how);
    expect(told).toContain('Verify return code: 0 (ok)');
    expect(told).toContain('ALPN protocol: http/1.1');
  });
});
