/** The AWS calls of the functions, counted; with `--crash` the harness is killed at one of them, in the middle of a turn. */
import type { AroundCall } from '../aws/service.ts';
import { AwsFault } from '../aws/wire.ts';
import type { Controls } from '../runtime.ts';
import { eventLine, type EventLine } from './event-line.ts';
import type { Arrival } from './session.ts';
import { seconds } from './terminal.ts';

export interface Call {
  /** Entry name of the function that made the call. */
  readonly by: string;
  /** `dynamodb:PutItem` */
  readonly name: string;
}

export type Calls = ReturnType<typeof watchCalls>;

/** A turn without previews puts two items: its claim, and the model's answer. */
const SAVING = { by: 'harness', name: 'dynamodb:PutItem', ofTurn: 2 };

/**
 * The harness is killed at the worst moment: the model has answered, and the harness has not saved that. It is the second
 * turn, because by then there is a sandbox with state in it. The turn's calls are counted from the first tool call on,
 * which reaches the client before that turn: a sandbox has to start first.
 * @param show told of the kill; null kills nothing
 */
export function watchCalls(show: ((line: EventLine, atMs: number) => void) | null) {
  const made: Call[] = [];
  let sentAt: number | null = null;
  let saved = 0;
  let killedAtMs: number | null = null;
  return {
    /** All calls since start. */
    made: made as readonly Call[],
    /** Told each event of the session. */
    observe({ event, atMs }: Arrival) {
      if (event.type === 'agent.tool_use') sentAt ??= performance.now() - atMs;
    },
    aroundCalls:
      (controls: Controls): AroundCall =>
      async (request, pass) => {
        const { functionName, worker } = request.caller;
        const call = { by: controls.entryOf(functionName), name: `${request.service}:${request.operation}` };
        made.push(call);
        if (sentAt !== null && call.by === SAVING.by && call.name === SAVING.name) saved += 1;
        if (show === null || sentAt === null || killedAtMs !== null || saved < SAVING.ofTurn) return pass(request);
        killedAtMs = performance.now() - sentAt;
        await controls.kill(worker);
        const text = `killed the harness as it saved the turn (${call.name}): what the model said is lost, the log is not`;
        show(eventLine('bad', 'crash', text), killedAtMs);
        throw new AwsFault('ServiceUnavailable', 'The caller was killed.', 503);
      },
    /** Says what was killed and what came of it; null when nothing was. */
    describeCrash(wallMs: number): string | null {
      if (killedAtMs === null) return null;
      return (
        `The harness was killed in the middle of a turn, ${seconds(killedAtMs)} after the message, before its ` +
        `${SAVING.name} took effect. The run went on from the log and was done ${seconds(wallMs - killedAtMs)} later.`
      );
    },
  };
}
