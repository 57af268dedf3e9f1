/**
 * What callers did: one line of the log when it has ended, and a report to the service every few seconds. A use that
 * lasts longer is reported when it begins and when it ends, so that the audit trail knows it although the proxy dies.
 */
import type { Socket } from 'node:net';
import type { EgressSubject } from '#contract/egress.ts';
import type { Log } from './log.ts';
import type { OpenedUse } from './opened.ts';
import type { Reports } from './reports.ts';

export interface Ending {
  readonly verdict: 'allowed' | 'refused' | 'unreachable';
  readonly rule: string | null;
}

export interface Use extends OpenedUse {
  /** Counts the bytes of a connection that has carried nothing yet. */
  counts(upstream: Counted): void;
  /** The first ending counts. */
  end(ending: Ending): void;
}

interface UseOf {
  /** Null for a caller that the service does not know, of which only the log tells. */
  readonly subject: EgressSubject | null;
  readonly host: string;
  readonly port: number;
}

export interface Uses {
  begin(of: UseOf): Use;
  /** Tells the reports of uses that have not ended. */
  tellBegun(): void;
}

type Counted = Pick<Socket, 'bytesRead' | 'bytesWritten'>;

export function usesTold(reports: Pick<Reports, 'add'>, log: Log): Uses {
  const open = new Set<() => void>();
  return { begin, tellBegun: () => open.forEach((tell) => tell()) };

  function begin({ subject, host: named, port }: UseOf): Use {
    const host = named.slice(0, 253);
    const startedAt = performance.now();
    const sockets: Counted[] = [];
    const secrets = new Set<Parameters<OpenedUse['usedSecret']>[0]>();
    const told = { connections: 0, bytesOut: 0, bytesIn: 0 };
    let ended = false;

    function tell({ verdict, rule }: Ending): void {
      const bytesOut = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
      const bytesIn = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
      const more = {
        connections: 1 - told.connections,
        bytesOut: bytesOut - told.bytesOut,
        bytesIn: bytesIn - told.bytesIn,
      };
      Object.assign(told, { connections: 1, bytesOut, bytesIn });
      if (subject !== null) reports.add({ subject, host, port, verdict, rule, ...more, secrets: [...secrets] });
    }

    const tellBegun = (): void => {
      if (told.connections === 0 && sockets.length > 0) tell({ verdict: 'allowed', rule: null });
    };
    open.add(tellBegun);

    return {
      counts: (upstream) => void sockets.push(upstream),
      usedSecret: (id) => void secrets.add(id),
      refused(rule) {
        log('INFO', 'request', { ...idsOf(subject), host, port, verdict: 'refused', rule });
        if (subject === null) return;
        const none = { connections: 1, bytesOut: 0, bytesIn: 0, secrets: [] };
        reports.add({ subject, host, port, verdict: 'refused', rule, ...none });
      },
      end(ending) {
        if (ended) return;
        ended = true;
        open.delete(tellBegun);
        tell(ending);
        const { bytesOut, bytesIn } = told;
        const durationMs = Math.round(performance.now() - startedAt);
        const facts = { ...idsOf(subject), host, port, ...ending, bytesOut, bytesIn, durationMs };
        log('INFO', 'use', { ...facts, ...(secrets.size > 0 && { secrets: [...secrets] }) });
      },
    };
  }
}

function idsOf(subject: EgressSubject | null): object {
  const { type: _, ...ids } = subject ?? { type: 'none' };
  return ids;
}
