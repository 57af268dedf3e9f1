/** Canonical log lines and EMF metrics, by Powertools: both are plain lines on stdout, so neither costs a call. */
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Journal } from '#core/ports/journal.ts';

export interface FunctionJournal extends Journal {
  readonly logger: Logger;
  /** Writes the metrics collected since the last flush. */
  flush(): void;
}

export function createJournal(): FunctionJournal {
  const logger = new Logger();
  const metrics = new Metrics();
  return {
    logger,
    line: (message, fields) => logger.info(message, fields),
    metric: (name, unit, value) => metrics.addMetric(name, MetricUnit[unit], value),
    flush: () => {
      // Publishing nothing is a warning in the log of every invocation that measured nothing.
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}
