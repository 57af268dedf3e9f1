/** Server-sent event frames. Clients drop a frame without a name, so each has one. */
import type { ErrorEnvelope } from '#contract/errors.ts';
import type { StreamFrame } from '#contract/previews.ts';

/** Ignored by clients; makes proxies pass the headers on at once. */
export const OPENING = ': open\n\n';

export const PING = frame('ping', { type: 'ping' });

export function eventFrame(event: StreamFrame): string {
  return frame(event.type, event);
}

export function errorFrame(envelope: ErrorEnvelope): string {
  return frame('error', envelope);
}

/** JSON has no raw line ends, so one data line holds it. */
function frame(name: string, body: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(body)}\n\n`;
}
