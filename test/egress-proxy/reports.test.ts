import { expect, it } from 'vitest';
import { EgressReport, type EgressUse } from '#contract/egress.ts';
import { CredentialId } from '#contract/ids.ts';
import { reportsTo } from '../../egress-proxy/reports.ts';
import { usesTold } from '../../egress-proxy/uses.ts';
import { granted } from './running-proxy.ts';

const { subject } = granted();

function use(more: Partial<EgressUse> = {}): EgressUse {
  const counted = { connections: 1, bytesOut: 10, bytesIn: 20, secrets: [] };
  return { subject, host: 'example.com', port: 443, verdict: 'allowed', rule: null, ...counted, ...more };
}

/** A service that keeps reports by their ids, and fails when it is told to: before it keeps one, or after. */
function service() {
  const kept = new Map<string, EgressReport>();
  const fails: ('before' | 'after')[] = [];
  const lines: string[] = [];
  const reports = reportsTo(
    {
      async report(report) {
        const parsed = EgressReport.parse({ ask: 'report', ...report });
        const fail = fails.shift();
        if (fail === 'before') throw new Error('down');
        kept.set(parsed.id, parsed);
        if (fail === 'after') throw new Error('the answer was lost');
      },
    },
    (_level, message) => void lines.push(message),
  );
  const uses = () => [...kept.values()].flatMap((report) => report.uses);
  return { reports, kept, fails, lines, uses };
}

it('adds up what one subject did to one host, apart from other hosts, ports, verdicts and subjects', async () => {
  const { reports, kept, uses } = service();
  const secrets = [CredentialId.parse('vcrd_1')];
  const others = [{ host: 'other.com' }, { port: 80 }, { verdict: 'refused', rule: 'port' }] as const;
  for (const more of [{}, { secrets }, { connections: 0 }, ...others]) reports.add(use(more));
  reports.add(use({ subject: { type: 'packages', archive: 'a' } }));
  await reports.send();
  expect(kept.size).toBe(1);
  expect(uses()).toHaveLength(5);
  expect(uses()[0]).toEqual(use({ connections: 2, bytesOut: 30, bytesIn: 60, secrets }));
});

it('sends a report that failed again with its id, and counts meanwhile into the next one', async () => {
  const { reports, kept, fails, uses, lines } = service();
  fails.push('before', 'after', 'after');
  reports.add(use());
  await reports.send();
  reports.add(use({ connections: 5 }));
  await reports.send();
  await reports.send();
  await reports.send();
  await reports.send();
  expect(kept.size).toBe(2);
  expect(uses().map(({ connections }) => connections)).toEqual([1, 5]);
  expect(lines).toEqual(['no report', 'no report', 'no report']);
});

it('holds little of a task that names many hosts, and loses no count', async () => {
  const { reports, kept, uses } = service();
  for (let one = 0; one < 10_000; one += 1)
    reports.add(use({ host: `${one}.example.com`, verdict: 'refused', rule: 'port' }));
  reports.add(use({ subject: { type: 'packages', archive: 'a' }, connections: 0 }));
  await reports.finish(5_000);
  expect([...kept.values()].every((report) => report.uses.length <= 50)).toBe(true);
  expect(uses()).toHaveLength(102);
  expect(uses().reduce((sum, { connections }) => sum + connections, 0)).toBe(10_000);
  expect(uses().at(-2)).toMatchObject({ host: '*', port: 0, connections: 9900 });
});

it('tries to the end to send the last report, and says what is lost', async () => {
  const { reports, fails, lines, uses } = service();
  fails.push('before');
  reports.add(use());
  await reports.finish(5_000);
  expect(uses()).toHaveLength(1);
  fails.push(...Array.from({ length: 50 }, () => 'before' as const));
  reports.add(use());
  await reports.finish(50);
  expect(lines.at(-1)).toBe('uses are lost');
});

it('tells a long use when it has begun and when it has ended, each byte once', () => {
  const told: EgressUse[] = [];
  const lines: string[] = [];
  const uses = usesTold({ add: (one) => void told.push(one) }, (_level, message) => void lines.push(message));
  const upstream = { bytesWritten: 7, bytesRead: 0 };
  const one = uses.begin({ subject, host: 'example.com', port: 443 });
  uses.tellBegun();
  expect(told).toEqual([]);
  one.counts(upstream);
  uses.tellBegun();
  uses.tellBegun();
  Object.assign(upstream, { bytesWritten: 10, bytesRead: 90 });
  one.usedSecret(CredentialId.parse('vcrd_1'));
  one.end({ verdict: 'allowed', rule: null });
  one.end({ verdict: 'unreachable', rule: null });
  const secrets = ['vcrd_1'];
  expect(told).toEqual([
    use({ connections: 1, bytesOut: 7, bytesIn: 0 }),
    use({ connections: 0, bytesOut: 3, bytesIn: 90, secrets: secrets.map((id) => CredentialId.parse(id)) }),
  ]);
  expect(lines).toEqual(['use']);
});
