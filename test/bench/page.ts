/** Writes the page `docs/numbers.md` around the results of the bench. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { ms, withRatios } from './figures.ts';

export interface Measured {
  readonly machine: string;
  readonly command: string;
  readonly date: string;
  /** The time of one turn of the bare SDK loop, p50. */
  readonly bareMs: number;
}

export function machine(): string {
  const cores = `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}`;
  return `${isVirtual() ? 'A virtual machine with ' : ''}${cores}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

/** A hypervisor shows itself to its guests by a processor flag. */
function isVirtual(): boolean {
  return process.platform === 'linux' && /^flags.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

export function introduction(measured: Measured): string {
  return `# Numbers: how fast the service is, and what it costs

| | |
|---|---|
| Machine | ${measured.machine} |
| Command | \`${measured.command}\` |
| Date | ${measured.date} |
| One turn of the bare SDK loop (p50) | ${ms(measured.bareMs)} |

Absolute times differ by a factor of two between machines of one kind. Each time is therefore also given as a multiple of
one turn of the bare SDK loop in the same run (\`8.4×\`). That loop is the SDK's own streaming helper with the same stand-in for the
model, and stores nothing. Sizes, counts and prices do not depend on the machine. The figures are measurements, not guarantees.
Measure on your own machine with \`npm --silent run bench > docs/numbers.md\`. The open peer is a widely used agent server (one process,
SQLite, loses a turn when it is killed), measured on a machine of this kind.`;
}

export function section(title: string, text: string, bareMs: number): string {
  return `\n## ${title}\n\n${withRatios(text, bareMs)}`;
}
