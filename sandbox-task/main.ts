import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { actAsAgent } from './as-agent.ts';
import { type Calls, idempotentCalls } from './calls.ts';
import { changesIn } from './changes.ts';
import { contentsIn } from './contents.ts';
import { finishedCalls } from './finished-calls.ts';
import { idleEnd } from './idle-end.ts';
import { programsLive } from './live-programs.ts';
import { logLine } from './log.ts';
import { repositoriesIn } from './repositories.ts';
import { sandboxServer } from './server.ts';
import { SettingError, type Settings, settingsFrom } from './settings.ts';
import { toolsIn } from './tools.ts';
import { wayOutOf } from './way-out.ts';

/** ECS kills the container 30 s after SIGTERM. Running calls have this long to end by themselves. */
const GRACE_MS = 10_000;
/** The sweep has what waits taken over within two minutes. */
const HARVEST_MS = 600_000;
/** The time for responses that are being sent when the last call has ended. */
const FLUSH_MS = 1_000;

async function start(settings: Settings): Promise<void> {
  const { places } = settings;
  await makeWorkdir(places.workdir);
  const { relay, variables } = wayOutOf({ host: settings.relayHost, mnt: places.mnt, log: logLine });
  const tools = toolsIn(places, { wayOut: variables });
  const contents = contentsIn(places, settings.archive);
  const finished = finishedCalls();
  const { environment } = tools;
  const repositories = repositoriesIn({ places, entries: contents.repositories, environment, log: logLine });
  const calls = idempotentCalls(tools, finished, { takeNotes: relay.takeNotes, takeNews: repositories.takeNews });
  let stopping: string | null = null;

  const changes = changesIn(places, contents);
  const idle = idleEnd({
    idleMs: settings.idleMs,
    patienceMs: HARVEST_MS,
    isBusy: () => calls.running() > 0,
    waiting: changes.waiting,
    end: () => void stop('idle'),
  });
  const server = sandboxServer({
    tokenSha256: settings.tokenSha256,
    calls,
    contents,
    changes,
    relay,
    repositories,
    programsLive,
    isStopping: () => stopping !== null,
    idle,
    log: logLine,
  });

  async function stop(reason: string): Promise<void> {
    if (stopping !== null) return;
    stopping = reason;
    logLine('INFO', 'stopping', { reason, running: calls.running() });
    idle.cancel();
    await endCalls(calls);
    await closeServer(server);
    tools.close();
    relay.close();
    repositories.close();
    finished.close();
    // A tool that ignores its signal would keep the process alive.
    process.exit(0);
  }

  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  await listen(server, settings.listen);
  actAsAgent(settings);
  logLine('INFO', 'listening', { address: server.address() });
}

async function makeWorkdir(workdir: string): Promise<void> {
  try {
    await mkdir(workdir, { recursive: true });
  } catch (cause) {
    throw new SettingError('SANDBOX_WORKDIR: the folder does not exist and cannot be made', { cause });
  }
}

async function listen(server: Server, address: Settings['listen']): Promise<void> {
  try {
    server.listen(address);
    await once(server, 'listening');
  } catch (cause) {
    throw new SettingError('SANDBOX_LISTEN: the address cannot be listened on', { cause });
  }
}

async function endCalls(calls: Calls): Promise<void> {
  const graceOver = new AbortController();
  await Promise.race([calls.settled(), sleep(GRACE_MS, undefined, { signal: graceOver.signal }).catch(() => {})]);
  graceOver.abort();
  calls.stopAll('the call was stopped because the sandbox stops');
  await calls.settled();
}

async function closeServer(server: Server): Promise<void> {
  const force = setTimeout(() => server.closeAllConnections(), FLUSH_MS);
  server.close();
  await once(server, 'close');
  clearTimeout(force);
}

function fail(error: unknown): never {
  if (error instanceof SettingError) logLine('ERROR', error.message);
  else
    logLine('ERROR', 'the server failed', {
      error: error instanceof Error ? error.name : typeof error,
      code: codeOf(error),
    });
  process.exit(1);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

process.on('uncaughtException', fail);

try {
  await start(settingsFrom(process.env));
} catch (error) {
  fail(error);
}
