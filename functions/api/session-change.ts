/** How a change of a session, or the refusal of one, looks to the request that asked for it. */
import type { Refusal } from '#core/session/commands.ts';
import type { RunStart } from '#core/session/send.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import type { Note } from './operation.ts';

/** `nameOf` tells what the request calls a field of the command. */
export function refusedChange(
  { field = 'session_id', message, errorCode }: Refusal,
  nameOf: (field: string) => string = (name) => name,
): RequestRefusal {
  return refuse('invalid_request_error', `${nameOf(field)}: ${message}`, errorCode);
}

export function noteStart(note: Note, start: RunStart): void {
  note({ run_start: start.run });
  if (start.run === 'failed') note({ error_class: start.errorClass });
}
