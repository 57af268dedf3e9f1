/**
 * A request and the redirects that it follows: each of them is judged, resolved and connected to like the first one. The
 * rules are the core's.
 */
import { lookup } from 'node:dns/promises';
import type { AllowedHosts } from '#contract/outbound.ts';
import { judgeUrl, ruleAgainstAddresses, type Destination } from '#core/outbound/destination.ts';
import { isRedirect, redirected, type RequestParts } from '#core/outbound/redirect.ts';
import type { Deadline } from '#aws/deadline.ts';
import { sendPinned, type Opened } from '#aws/outbound/pinned-request.https.ts';
import { OutboundError } from '#core/ports/outbound.ts';

/** Finds every address of a name; none when there is no such name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface OutboundOptions {
  readonly allow: AllowedHosts;
  readonly resolve: Resolve;
}

export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export interface OutgoingRequest extends RequestParts {
  readonly idleMs: number;
  /** How many redirects to follow; null returns the first answer, also when it is a redirect. */
  readonly maxRedirects: number | null;
  /** The caller's own rule against the host of a request; null allows it. */
  readonly ruleAgainst?: ((host: string) => string | null) | undefined;
}

export interface FinalAnswer {
  readonly opened: Opened;
  readonly destination: Destination;
}

/** Throws `OutboundError`, or the reason of the signal that the deadline was made with. */
export async function followRedirects(
  options: OutboundOptions,
  outgoing: OutgoingRequest,
  deadline: Deadline,
): Promise<FinalAnswer> {
  const { idleMs, maxRedirects } = outgoing;
  let request: RequestParts = outgoing;
  for (let redirects = 0; ; redirects += 1) {
    const destination = judgeRequest(options.allow, outgoing, request);
    const addresses = await resolve(options.resolve, destination, deadline);
    const opened = await sendPinned({ destination, addresses, request, deadline, idleMs });
    const location = opened.headers['location'];
    if (maxRedirects === null || !isRedirect(opened.code, location)) return { opened, destination };
    opened.close();
    if (redirects === maxRedirects) {
      throw new OutboundError('redirects', destination.host, `redirects more than ${redirects} times`);
    }
    const next = redirected(request, destination.url, { code: opened.code, location });
    if (typeof next === 'string') throw new OutboundError('redirects', destination.host, next);
    request = next;
  }
}

function judgeRequest(allow: AllowedHosts, { ruleAgainst }: OutgoingRequest, request: RequestParts): Destination {
  const judged = judgeUrl(request.url, allow);
  if (judged.status === 'blocked') throw new OutboundError('blocked', judged.host, judged.rule);
  const rule = ruleAgainst?.(judged.destination.host) ?? null;
  if (rule !== null) throw new OutboundError('blocked', judged.destination.host, rule);
  return judged.destination;
}

/** Resolves the host once: a second answer could differ from the judged one. */
async function resolve(ask: Resolve, destination: Destination, deadline: Deadline): Promise<readonly string[]> {
  const { host } = destination;
  const addresses = await deadline.race(ask(host)).catch((cause: unknown) => {
    throw deadline.over(host) ?? new OutboundError('unreachable', host, 'could not be resolved', { cause });
  });
  if (addresses.length === 0) throw new OutboundError('unreachable', host, 'could not be resolved');
  const rule = ruleAgainstAddresses(destination, addresses);
  if (rule !== null) throw new OutboundError('blocked', host, rule);
  return addresses;
}

/** Reads a body of at most `maxBytes`. */
export async function* capped({ opened, destination }: FinalAnswer, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of opened.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new OutboundError('too_large', destination.host, `answered more than ${maxBytes} bytes`, { sent: true });
    }
    yield chunk;
  }
}
