/**
 * A sandbox for one session: the server of the image as a process of this machine, because MiniStack runs no task
 * without Docker. Its record has the form of a ready sandbox's record, so provision finds it.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createStamp } from '#aws/stamp.ts';
import { SessionId, mainHand } from '#contract/ids.ts';
import { BIN } from './ministack.ts';

interface SandboxOptions {
  readonly dynamodb: DynamoDBClient;
  readonly recordsTable: string;
  readonly session: string;
  /** The bundled server. */
  readonly server: string;
  readonly folder: string;
}

interface Sandbox {
  /** The working directory of the tools. */
  readonly workdir: string;
  stop(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const workdir = join(options.folder, 'workspace');
  mkdirSync(workdir);
  const token = randomBytes(32).toString('base64url');
  const server = spawn(join(BIN, 'node'), [options.server], {
    env: {
      PATH: process.env['PATH'],
      SANDBOX_TOKEN_SHA256: createHash('sha256').update(token).digest('hex'),
      SANDBOX_WORKDIR: workdir,
      SANDBOX_LISTEN: '127.0.0.1:0',
      // The idle time ends the server when no test stops it.
      SANDBOX_IDLE_SECONDS: '60',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const stop = async () => {
    server.kill('SIGKILL');
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
  };
  try {
    await writeDown(options, token, await addressIn(server.stdout));
    return { workdir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function writeDown(options: SandboxOptions, token: string, address: string): Promise<void> {
  const hand = mainHand(SessionId.parse(options.session));
  const records = createSandboxRecords(options.dynamodb, options.recordsTable);
  const at = createStamp().now();
  const start = { attempt: 1, since: at, notBefore: at, watcher: 'test', watchedUntil: at };
  await records.reserve(hand, 0, { ...start, token, archive: null, at });
  await records.ready(hand, 1, { task: 'a process of this machine', address, at });
}

/** The server's first log line has its address. */
async function addressIn(stdout: NodeJS.ReadableStream): Promise<string> {
  const [line] = await once(stdout, 'data');
  const port = /"port":(\d+)/.exec(String(line))?.[1];
  if (port === undefined) throw new Error(`The sandbox server did not say where it listens: ${line}`);
  return `127.0.0.1:${port}`;
}
