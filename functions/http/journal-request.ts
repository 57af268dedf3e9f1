/** Answers one request under an id of its own, and writes one line about it to the journal. */
import type { Journal } from '#core/ports/journal.ts';

export type Fields = Readonly<Record<string, string | number>>;

interface RequestWorld {
  /** The random part of a new id. */
  readonly newToken: () => string;
  readonly journal: Journal;
}

/** For the answer of one request. */
export interface Answering {
  readonly requestId: string;
  /** Adds to the line. */
  readonly note: (fields: Fields) => void;
}

export async function journalRequest<Answer extends { readonly status: number }>(
  { newToken, journal }: RequestWorld,
  about: { readonly method: string; readonly route: string },
  answer: (answering: Answering) => Promise<Answer>,
): Promise<Answer> {
  const began = performance.now();
  const requestId = `req_${newToken()}`;
  const fields: Record<string, string | number> = {};
  const answered = await answer({ requestId, note: (added) => void Object.assign(fields, added) });
  const { status } = answered;
  const line = { request_id: requestId, ...about, status, ...fields };
  journal.line('request', { ...line, duration_ms: Math.round(performance.now() - began) });
  if (status >= 500) journal.metric('RequestErrors', 'Count', 1);
  return answered;
}
