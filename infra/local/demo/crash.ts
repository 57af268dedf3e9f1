/** The AWS calls of the functions, counted; with `--crash` the harness is killed at one of them, in the middle of a turn. */
import type { AroundCall } from '../aws/service.ts';
import { AwsFault } from '../aws/wire.ts';
import type { Controls } from '../runtime.ts';
import { seconds } from '../terminal.ts';
import type { EventLine } from './event-line.ts';
import type { Arrival } from './session.ts';

/** `by` is the entry name of the function that made it; `dynamodb:PutItem` is a name. */
export type Call = Readonly<Record<'by' | 'name', string>>;

/**
 * The harness is killed at the worst moment: the model has answered, and the harness has not saved that. It is the second
 * turn, because by then there is a sandbox with state in it. A turn without previews puts two items, its claim and its
 * answer. They are counted from the first tool call on, which reaches the client before that turn: a sandbox starts first.
 * @param show told of the kill; null kills nothing
 */
export function watchCalls(show: ((line: EventLine, atMs: number) => void) | null) {
  const made: Call[] = [];
  let sentAt: number | null = null;
  let saved = 0;
  let killedAtMs: number | null = null;

  function observe({ event, atMs }: Arrival): void {
    if (event.type === 'agent.tool_use') sentAt ??= performance.now() - atMs;
  }

  function aroundCalls({ entryOf, kill }: Controls): AroundCall {
    return async (request, pass) => {
      const { functionName, worker } = request.caller;
      const call = { by: entryOf(functionName), name: `${request.service}:${request.operation}` };
      made.push(call);
      if (show === null || sentAt === null || call.by !== 'harness' || call.name !== 'dynamodb:PutItem')
        return pass(request);
      saved += 1;
      if (saved !== 2) return pass(request);
      killedAtMs = performance.now() - sentAt;
      await kill(worker);
      const text = `killed the harness as it saved the turn (${call.name}): what the model said is lost, the log is not`;
      show(['bad', 'crash', text], killedAtMs);
      throw new AwsFault('ServiceUnavailable', 'The caller was killed.', 503);
    };
  }

  /** Says what was killed and what came of it; null when nothing was. */
  function describeCrash(wallMs: number): string | null {
    if (killedAtMs === null) return null;
    return (
      `The harness was killed in the middle of a turn, ${seconds(killedAtMs)} after the message, before its PutItem took ` +
      `effect. The run went on from the log and was done ${seconds(wallMs - killedAtMs)} later.`
    );
  }

  return { made: made as readonly Call[], observe, aroundCalls, describeCrash };
}
