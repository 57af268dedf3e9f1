import { afterEach, describe, expect, it, vi } from 'vitest';
import { createJournal } from '#aws/journal.powertools.ts';

const NAMESPACE = 'POWERTOOLS_METRICS_NAMESPACE';

describe('the journal', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  /** Everything that a flush writes, warnings included. */
  function written(measure: (journal: ReturnType<typeof createJournal>) => void): readonly unknown[] {
    vi.stubEnv(NAMESPACE, 'Brainstem');
    // By default Powertools writes through a console of its own, and in development no metrics.
    vi.stubEnv('POWERTOOLS_DEV', 'true');
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'false');
    const lines: unknown[] = [];
    for (const level of ['log', 'warn'] as const) {
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(line));
    }
    const journal = createJournal();
    measure(journal);
    journal.flush();
    return lines;
  }

  it('writes no metrics when none were measured', () => {
    expect(written(() => undefined)).toEqual([]);
  });

  it('writes the metrics that were measured', () => {
    const lines = written((journal) => journal.metric('RequestErrors', 'Count', 1));
    expect(lines).toHaveLength(1);
    expect(String(lines[0])).toContain('"RequestErrors":1');
  });
});
