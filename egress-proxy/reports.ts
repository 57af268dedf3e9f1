/** Uses on their way to the audit trail: added up, sent in batches, and sent again until the service has kept them. */
import { randomUUID } from 'node:crypto';
import type { EgressReport, EgressUse } from '#contract/egress.ts';
import type { EgressFunction } from './egress-function.ts';
import type { Log } from './log.ts';

export interface Reports {
  add(use: EgressUse): void;
  /** Sends one batch, when there is one and none is being sent. Resolves when its fate is known. */
  send(): Promise<void>;
  /** Sends all that is left; what is not kept in this time is told in the log as lost. */
  finish(withinMs: number): Promise<void>;
}

/** The most of a report. */
const MAX_USES = 500;
/** Beyond so many, further hosts are added up under one name, so that a task cannot fill the memory with names. */
const MAX_WAITING = 2_000;

export function reportsTo(service: Pick<EgressFunction, 'report'>, log: Log): Reports {
  const waiting = new Map<string, EgressUse>();
  let batch: Omit<EgressReport, 'ask'> | null = null;
  let sending: Promise<void> | null = null;

  function add(use: EgressUse): void {
    const key = keyOf(use);
    const known = waiting.get(key);
    if (known !== undefined) return void waiting.set(key, sumOf(known, use));
    if (waiting.size < MAX_WAITING || use.host === '*') return void waiting.set(key, use);
    add({ ...use, host: '*', port: 0 });
  }

  function take(): typeof batch {
    const uses = [...waiting].slice(0, MAX_USES);
    if (uses.length === 0) return null;
    for (const [key] of uses) waiting.delete(key);
    return { id: randomUUID(), uses: uses.map(([, use]) => use) };
  }

  async function sendOne(): Promise<void> {
    const sent = (batch ??= take());
    if (sent === null) return;
    try {
      await service.report(sent);
      batch = null;
    } catch (error) {
      // The batch stays as it is, with its id: the service may have kept it although its answer was lost.
      log('ERROR', 'no report', { uses: sent.uses.length, error: error instanceof Error ? error.name : typeof error });
    }
  }

  function send(): Promise<void> {
    sending ??= sendOne().finally(() => (sending = null));
    return sending;
  }

  const unsent = () => waiting.size + (batch?.uses.length ?? 0);

  return {
    add,
    send,
    async finish(withinMs) {
      const until = performance.now() + withinMs;
      while (unsent() > 0 && performance.now() < until) {
        await Promise.race([send(), pause(until - performance.now())]);
        if (batch !== null) await pause(Math.min(AGAIN_MS, until - performance.now()));
      }
      if (unsent() > 0) log('ERROR', 'uses are lost', { uses: unsent() });
    },
  };
}

const AGAIN_MS = 500;
/** Not a reason to go on running. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)).unref());

function keyOf({ subject, host, port, verdict, rule }: EgressUse): string {
  return JSON.stringify([subject, host, port, verdict, rule]);
}

function sumOf(one: EgressUse, other: EgressUse): EgressUse {
  return {
    ...one,
    connections: one.connections + other.connections,
    bytesOut: one.bytesOut + other.bytesOut,
    bytesIn: one.bytesIn + other.bytesIn,
    secrets: [...new Set([...one.secrets, ...other.secrets])],
  };
}
