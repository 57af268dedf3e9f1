import type { LogKey } from '#core/ports/session-log.ts';

/** Starts executions of the run's state machine. Idempotent by session and run. */
export interface Runs {
  /** `taken`: an execution of that name has ended already, so it may be that no execution runs this run. */
  start(key: LogKey, run: number): Promise<'started' | 'taken'>;
}
