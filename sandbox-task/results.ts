/** Long results of tools that ran outside the sandbox. They are files beside the outputs of the sandbox's own calls. */
import type { IncomingMessage } from 'node:http';
import type { ExecuteRequest } from '../functions/contract/hands.ts';
import { readBody } from './body.ts';
import type { Log } from './log.ts';
import type { Outputs } from './output.ts';
import { awaiting, refusal, tooLarge, type Reply } from './reply.ts';

/** Null when the files of the call's results exist. A call that has begun may have removed them itself. */
export function awaitingResults(
  { results = [] }: ExecuteRequest,
  { outputs }: { readonly outputs: Outputs },
): Reply | null {
  const lacking = outputs.lacking(results);
  if (lacking.length === 0) return null;
  return awaiting('results_awaited', 'the results of these calls have to be put first', lacking);
}

export async function takeResult(
  request: IncomingMessage,
  { outputs, log }: { readonly outputs: Outputs; readonly log: Log },
  call: string,
): Promise<Reply> {
  const text = await readBody(request);
  if (text === null) return tooLarge();
  const isKept = await outputs.keep(call, text);
  log('INFO', 'result', { call, outcome: isKept ? 'kept' : 'refused', chars: text.length });
  if (!isKept) return refusal('result_not_kept', 'the disk or the folder does not take the file');
  return { status: 200, body: { status: 'kept' } };
}
