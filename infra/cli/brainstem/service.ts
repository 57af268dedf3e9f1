/** The service that the commands speak to. */

/** A wrong argument or an answer of the service, which the program prints as one line. */
export class CommandError extends Error {}

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** @default none */
  readonly body?: FormData | object;
  readonly signal?: AbortSignal;
}

/** @throws CommandError with the sentence of a refusal, which a repeat would get again */
export async function ask<Answer>(path: string, { method = 'POST', body, signal }: Asked): Promise<Answer> {
  const url = `${setting('ANTHROPIC_BASE_URL').replace(/\/$/, '')}${path}`;
  const isForm = body instanceof FormData;
  const headers = {
    authorization: `Bearer ${setting('ANTHROPIC_API_KEY')}`,
    ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
  };
  const sent = isForm ? body : body === undefined ? null : JSON.stringify(body);
  const response = await fetch(url, { method, headers, body: sent, ...(signal && { signal }) });
  const answer = (await response.json()) as { error?: { message?: string } };
  if (response.ok) return answer as Answer;
  const message = answer.error?.message ?? `the service answered ${response.status}`;
  // A repeat may succeed where the service is busy or in trouble.
  throw response.status < 500 && response.status !== 429 ? new CommandError(message) : new Error(message);
}

function setting(name: string): string {
  const value = process.env[name] ?? '';
  if (value === '') throw new CommandError(`${name}: is not set`);
  return value;
}
