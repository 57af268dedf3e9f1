/** The policy engine alone: a decision, the filter of a list, and the first decision of a process. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { FACTS } from '#test/functions/core/policy/facts.ts';
import { ms, now, spread, table, told } from './figures.ts';
import { INPUT, workload } from './policy-workload.ts';

const POLICIES = [5, 500];
const SAMPLES = 2000;
const COLD_SAMPLES = 10;

const HEAD = [
  'Policies in force',
  'a call is decided (p50 / p99)',
  'whether a tool is shown (p50 / p99)',
  'new process: Cedar loads (p50 / p95)',
  'new process: first decision (p50 / p95)',
];
const NOTE = [
  'Measured in one process without reads of the table; a service reads every five seconds which set is in force. A first',
  'decision parses the policies’ text, and later ones do not.',
].join('\n');

const Cold = z.object({ load: z.number(), decision: z.number() });

export async function policy(progress: (text: string) => void): Promise<string> {
  const rows: string[][] = [];
  for (const count of POLICIES) {
    const policies = workload(count);
    const { decision } = await policies.decide(FACTS, INPUT);
    if (decision !== 'allow') throw new Error(`the policies decide ${decision}`);
    const decided = await sampled(() => policies.decide(FACTS, INPUT));
    const shown = await sampled(() => policies.isVisible(FACTS));
    const cold = await coldStarts(count);
    rows.push([
      String(count),
      decided,
      shown,
      told(cold.map(({ load }) => load)),
      told(cold.map((one) => one.decision)),
    ]);
    progress(`${count} policies`);
  }
  return [table(HEAD, rows), '', NOTE].join('\n');
}

async function sampled(work: () => Promise<unknown>): Promise<string> {
  const samples: number[] = [];
  for (let index = 0; index < SAMPLES; index += 1) {
    const began = now();
    await work();
    samples.push(now() - began);
  }
  const { p50, count } = spread(samples);
  const p99 = samples.toSorted((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
  return `${ms(p50)} / ${ms(p99)} (n=${count})`;
}

async function coldStarts(count: number): Promise<readonly z.infer<typeof Cold>[]> {
  const starts: z.infer<typeof Cold>[] = [];
  for (let index = 0; index < COLD_SAMPLES; index += 1) {
    const script = join(import.meta.dirname, 'policy-cold.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [script, String(count)]);
    starts.push(Cold.parse(JSON.parse(stdout)));
  }
  return starts;
}
