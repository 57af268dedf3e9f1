/** Uses on their way to the audit trail: added up, sent in batches, and sent again until the service has kept them. */
import { randomUUID } from 'node:crypto';
import { MAX_REPORTED_USES, type EgressReport, type EgressUse } from '#contract/egress.ts';
import type { EgressFunction } from './egress-function.ts';
import type { Log } from './log.ts';

export interface Reports {
  add(use: EgressUse): void;
  /** Sends what there is, batch after batch, until one fails. */
  send(): Promise<void>;
  /** Sends all that is left; what is not kept in this time is told in the log as lost. */
  finish(withinMs: number): Promise<void>;
}

/** Beyond so many of one subject, its further hosts are added up under one name: each use becomes a record of the audit trail. */
const MAX_OF_SUBJECT = 100;

export function reportsTo(service: Pick<EgressFunction, 'report'>, log: Log): Reports {
  const waiting = new Map<string, EgressUse>();
  const ofSubject = new Map<string, number>();
  let batch: Omit<EgressReport, 'ask'> | null = null;
  let sending: Promise<void> | null = null;

  function add(use: EgressUse): void {
    const key = keyOf(use);
    const known = waiting.get(key);
    if (known !== undefined) return void waiting.set(key, sumOf(known, use));
    const subject = JSON.stringify(use.subject);
    const others = ofSubject.get(subject) ?? 0;
    if (others >= MAX_OF_SUBJECT && use.host !== '*') return add({ ...use, host: '*', port: 0 });
    waiting.set(key, use);
    ofSubject.set(subject, others + 1);
  }

  function take(): typeof batch {
    const uses = [...waiting].slice(0, MAX_REPORTED_USES);
    if (uses.length === 0) return null;
    for (const [key] of uses) waiting.delete(key);
    if (waiting.size === 0) ofSubject.clear();
    return { id: randomUUID(), uses: uses.map(([, use]) => use) };
  }

  async function sendAll(): Promise<void> {
    batch ??= take();
    while (batch !== null && (await isKept(batch))) batch = take();
  }

  async function isKept(sent: NonNullable<typeof batch>): Promise<boolean> {
    try {
      await service.report(sent);
      return true;
    } catch (error) {
      // The batch stays as it is, with its id: the service may have kept it although its answer was lost.
      log('ERROR', 'no report', { uses: sent.uses.length, error: error instanceof Error ? error.name : typeof error });
      return false;
    }
  }

  function send(): Promise<void> {
    sending ??= sendAll().finally(() => (sending = null));
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
