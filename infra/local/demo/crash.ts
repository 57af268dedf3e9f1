/** Kills the harness in the middle of a turn. */
import type { Calls } from './calls.ts';
import type { EventLine } from './describe-event.ts';
import { seconds } from './format-line.ts';
import type { Arrival } from './run-demo.ts';

export interface Kill {
  readonly call: string;
  /** Milliseconds after the message was sent. */
  readonly atMs: number;
}

/** What the harness saves a turn with. */
const SAVING = { by: 'harness', name: 'dynamodb:PutItem' } as const;

interface Crash {
  /** Told each event; kills after the one it waits for. */
  observe(arrival: Arrival): void;
  /** What was killed so far. */
  killed(): Kill | null;
}

/**
 * The worst moment: the model has answered, and the harness is killed before it saves that. A turn that nobody previews
 * puts two items, its claim and its answer. The second turn, because by then there is a sandbox with state in it. The
 * kill is armed at the first tool call, which reaches the client before that turn: a sandbox has to start first.
 */
export function planCrash(calls: Pick<Calls, 'killAt'>, onKill: (kill: Kill) => void): Crash {
  let armed = false;
  let kill: Kill | null = null;
  return {
    observe({ event, atMs }) {
      if (armed || event.type !== 'agent.tool_use') return;
      armed = true;
      const sentAt = performance.now() - atMs;
      void calls.killAt(SAVING, 2).then(() => {
        kill = { call: SAVING.name, atMs: performance.now() - sentAt };
        onKill(kill);
      });
    },
    killed: () => kill,
  };
}

export function describeKill({ call }: Kill): EventLine {
  const text = `killed the harness as it saved the turn (${call}): what the model said is lost, the log is not`;
  return { tone: 'bad', actor: 'crash', text };
}

export function tellCrash({ call, atMs }: Kill, wallMs: number): string {
  return (
    `The harness was killed in the middle of a turn, ${seconds(atMs)} after the message, before its ${call} took effect. ` +
    `The run went on from the log and was done ${seconds(wallMs - atMs)} later.`
  );
}
