/**
 * Makes sure that an active thread has an execution. Executions are named by session, thread and run number, so a lost one is
 * replaced under the next number: no name is used twice.
 */
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { change, prepare } from '#core/session/change.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { isActive } from '#core/session/waiting.ts';

/** What changes a session and runs it. */
export type RunPorts = Pick<Ports, 'log' | 'runs' | 'stamp'>;

type Repair = 'resting' | 'alive' | 'restarted';

/** Starting a run that is under way changes nothing, so this is safe to repeat for every active thread. */
export async function repair(ports: RunPorts, key: LogKey): Promise<Repair> {
  const head = await ports.log.head(key);
  if (head === null || !isActive(head.state)) return 'resting';
  if ((await ports.runs.start(key, head.state.run)) === 'started') return 'alive';
  return continueLost(ports, key, head.state.run);
}

/** Run numbers in a row with an execution that ended before the log had the number: each needs a crash of its own. */
const MAX_NUMBERS = 5;

/** The execution of `run` has ended and the run has not: the log goes on under the next number, which is started. */
export async function continueLost(ports: RunPorts, key: LogKey, lost: number): Promise<Repair> {
  for (let run = lost; run < lost + MAX_NUMBERS; run += 1) {
    const head = await ports.log.head(key);
    if (head === null || !isActive(head.state)) return 'resting';
    // Another process has continued the run and starts it; if it died, the next sweep does.
    if (head.state.run !== run) return 'alive';
    // The messages are not even read: they may be what kills each execution.
    if (head.state.failures >= MAX_FAILURES) {
      const prepared = prepare(key, head, { do: 'give up', cause: 'attempts', taken: [] }, ports);
      if (prepared.status !== 'prepared') return 'resting';
      // A process that appended meanwhile shows that the session can go on.
      return (await ports.log.append(prepared.append)).status === 'appended' ? 'resting' : 'alive';
    }
    const continued = await change(ports, key, head, { do: 'continue', run, reason: 'lost' });
    if (continued.status !== 'changed') return 'alive';
    if ((await ports.runs.start(key, continued.head.state.run)) === 'started') return 'restarted';
  }
  throw new Fault('run_not_started', `${MAX_NUMBERS} runs of ${key.session} in a row had ended before they began`);
}
