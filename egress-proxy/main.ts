import { once } from 'node:events';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBy } from './connect.ts';
import { egressFunction } from './egress-function.lambda.ts';
import { grantsFrom } from './grants.ts';
import { judgeBy } from './judge.ts';
import { logLine } from './log.ts';
import { openConnections } from './open-connections.ts';
import { openedTls } from './opened.ts';
import { reportsTo } from './reports.ts';
import { resolveBySystem } from './resolve.ts';
import { egressProxy, SERVER_TIMES } from './server.ts';
import { SettingError, type Settings, settingsFrom } from './settings.ts';
import { usesTold } from './uses.ts';

/** ECS kills the container 30 s after SIGTERM. Connections have the first part of this time, and the last report the rest. */
const GRACE_MS = 10_000;
const LAST_REPORT_MS = 15_000;
const REPORT_EVERY_MS = 10_000;

async function start(settings: Settings): Promise<void> {
  const { functionName, region, allow, ownHosts, extraCa } = settings;
  const service = egressFunction({ functionName, region, env: process.env });
  const grants = grantsFrom(service, logLine);
  const reports = reportsTo(service, logLine);
  const uses = usesTold(reports, logLine);
  const connections = openConnections();
  let stopping: string | null = null;
  let idle: NodeJS.Timeout | undefined;

  const { server, endAll } = egressProxy({
    grants,
    judge: judgeBy(grants, { allow, ownHosts }),
    connect: connectBy(resolveBySystem),
    uses,
    opened: openedTls({ extraCa }),
    connections,
    times: SERVER_TIMES,
    log: logLine,
    onConnections: awaitIdleEnd,
  });

  function awaitIdleEnd(): void {
    clearTimeout(idle);
    if (connections.count() === 0) idle = setTimeout(() => void stop('idle'), settings.idleMs);
  }

  const reporting = setInterval(() => {
    uses.tellBegun();
    void reports.send();
  }, REPORT_EVERY_MS);

  async function stop(reason: string): Promise<void> {
    if (stopping !== null) return;
    stopping = reason;
    logLine('INFO', 'stopping', { reason, connections: connections.count() });
    clearTimeout(idle);
    clearInterval(reporting);
    await endConnections(server, endAll);
    await reports.finish(LAST_REPORT_MS);
    process.exit(0);
  }

  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  await listen(server, settings.listen);
  awaitIdleEnd();
  logLine('INFO', 'listening', { address: server.address() });
}

async function listen(server: Server, address: Settings['listen']): Promise<void> {
  try {
    server.listen(address);
    await once(server, 'listening');
  } catch (cause) {
    throw new SettingError('EGRESS_LISTEN: the address cannot be listened on', { cause });
  }
}

/** No more connections are taken, those without a request end at once, and the others have some time. */
async function endConnections(server: Server, endAll: () => void): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const over = new AbortController();
  await Promise.race([closed, sleep(GRACE_MS, undefined, { signal: over.signal }).catch(() => {})]);
  over.abort();
  endAll();
  await closed;
}

function fail(error: unknown): never {
  if (error instanceof SettingError) logLine('ERROR', error.message);
  else
    logLine('ERROR', 'the proxy failed', {
      error: error instanceof Error ? error.name : typeof error,
      code: error instanceof Error && 'code' in error ? error.code : undefined,
    });
  process.exit(1);
}

process.on('uncaughtException', fail);

try {
  await start(settingsFrom(process.env));
} catch (error) {
  fail(error);
}
