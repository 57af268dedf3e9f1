/**
 * The guarded way out over node's own https: the only client here that lets us say which address it connects to. The
 * rules are the core's; this resolves, connects, counts and stops.
 */
import { lookup } from 'node:dns/promises';
import type { AllowedHosts } from '#contract/outbound.ts';
import { judgeUrl, ruleAgainstAddresses, type Destination } from '#core/outbound/destination.ts';
import { isRedirect, redirected, type Hop } from '#core/outbound/redirect.ts';
import type { Outbound, OutboundAnswer, OutboundRequest } from '#core/outbound/outbound.ts';
import { startDeadline, type Deadline } from '#aws/deadline.ts';
import { knock, type Opened } from '#aws/knock.https.ts';
import { OutboundError } from '#aws/outbound-error.ts';

/** Every address of a name, as the system resolves it; none when there is no such name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface OutboundOptions {
  readonly allow: AllowedHosts;
  readonly resolve: Resolve;
}

export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export function createOutbound(options: OutboundOptions): Outbound {
  return {
    async fetch(request, signal) {
      const deadline = startDeadline(request.limits.totalMs, signal);
      try {
        return await follow(options, request, deadline);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof OutboundError) return error.failed();
        throw error;
      } finally {
        deadline.clear();
      }
    },
  };
}

/** One hop after another; each is judged as if it were the first. */
async function follow(options: OutboundOptions, request: OutboundRequest, deadline: Deadline): Promise<OutboundAnswer> {
  let hop: Hop = request;
  for (let redirects = 0; ; redirects += 1) {
    const destination = judge(options.allow, request, hop);
    const addresses = await resolve(options.resolve, destination, deadline);
    const opened = await knock({ destination, addresses, hop, deadline, idleMs: request.limits.idleMs });
    const location = opened.headers['location'];
    if (!isRedirect(opened.code, location)) return answer(opened, destination, request.limits.maxBytes);
    opened.close();
    if (redirects === request.limits.maxRedirects) {
      throw new OutboundError('redirects', destination.host, `redirects more than ${redirects} times`);
    }
    const next = redirected(hop, destination.url, { code: opened.code, location });
    if (typeof next === 'string') throw new OutboundError('redirects', destination.host, next);
    hop = next;
  }
}

function judge(allow: AllowedHosts, request: OutboundRequest, hop: Hop): Destination {
  const judged = judgeUrl(hop.url, allow);
  if (judged.status === 'blocked') throw new OutboundError('blocked', judged.host, judged.rule);
  const rule = request.ruleAgainst?.(judged.destination.host) ?? null;
  if (rule !== null) throw new OutboundError('blocked', judged.destination.host, rule);
  return judged.destination;
}

/** Asked once: a second answer could be another one than was judged. */
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

async function answer(opened: Opened, destination: Destination, maxBytes: number): Promise<OutboundAnswer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of opened.body) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new OutboundError('too_large', destination.host, `answered more than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } finally {
    opened.close();
  }
  const { code, headers } = opened;
  return { status: 'answered', code, headers, body: Buffer.concat(chunks), url: destination.url.href };
}
