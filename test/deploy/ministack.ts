/** MiniStack, an AWS emulator from PyPI: started per test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setDefaultCACertificates } from 'node:tls';
import { freePort } from '#test/free-port.ts';
import { pythonOf } from './python.ts';
import { lastLines } from './run.ts';

const ROOT = join(import.meta.dirname, '../..');
export const BIN = join(ROOT, 'node_modules/.bin');

export interface MiniStack {
  /** The endpoint of all AWS services. */
  readonly url: string;
  /** The file with the certificate of `url`. */
  readonly certificate: string;
  stop(): Promise<void>;
}

/** The emulator ends when its standard input closes, which happens when the test ends in any way. */
const SERVE = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from hypercorn.__main__ import main
sys.exit(main())
`;

/** Long enough for a machine that compiles all Python files at the first start. */
const START_MS = 60_000;

export async function startMiniStack(folder: string): Promise<MiniStack> {
  const port = await freePort();
  const logFile = join(folder, 'ministack.log');
  // The folder is where MiniStack unpacks functions, beside a CommonJS script that runs them.
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  const log = openSync(logFile, 'a');
  const options = ['--bind', `127.0.0.1:${port}`, '--keep-alive', '75', '--workers', '0'];
  const server = spawn(
    pythonOf('ministack'),
    ['-c', SERVE, '--config', 'python:ministack.core.hypercorn_conf', ...options, 'ministack.app:app'],
    { env: settings(folder, port), stdio: ['pipe', log, log] },
  );
  closeSync(log);
  const stop = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.stdin?.end();
    await once(server, 'exit');
  };
  const certificate = join(folder, 'ministack-tls/server.crt');
  const url = `https://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (!(await answers(url, certificate))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`MiniStack did not start (it needs openssl):\n${lastLines(readFileSync(logFile, 'utf8'))}`);
    }
    await sleep(100);
  }
  return { url, certificate, stop };
}

/** No variable of this process: functions inherit them all, and could reach the real AWS with them. */
function settings(folder: string, port: number): Record<string, string> {
  return {
    // MiniStack runs functions with the first `node` of the path.
    PATH: [BIN, process.env['PATH']].join(delimiter),
    HOME: folder,
    TMPDIR: folder,
    GATEWAY_PORT: String(port),
    MINISTACK_HOST: '127.0.0.1',
    // MiniStack checks signatures, and evaluates each call with the policies of its role, …
    AUTH: 'true',
    // … and with the policies of the buckets, which refuse plain HTTP.
    USE_SSL: '1',
    DOCKER_HOST: `unix://${folder}/no-docker.sock`,
    SFTP_ENABLED: '0',
    LOG_LEVEL: 'WARNING',
  };
}

async function answers(url: string, certificate: string): Promise<boolean> {
  const pem = existsSync(certificate) ? readFileSync(certificate, 'utf8') : '';
  if (!pem.includes('END CERTIFICATE')) return false;
  // This process uses TLS for MiniStack only.
  setDefaultCACertificates([pem]);
  const health = await fetch(`${url}/_ministack/health`).catch(() => null);
  return health?.ok === true;
}
