/**
 * Outbound requests over node's own https, the only client here that can be told which address to connect to. The rules
 * are the core's; this file resolves, connects, counts bytes and stops.
 */
import { type Outbound, type OutboundAnswer, OutboundError } from '#core/ports/outbound.ts';
import { startDeadline } from '#aws/deadline.ts';
import { capped, followRedirects, type FinalAnswer, type OutboundOptions } from '#aws/outbound/redirects.https.ts';

export function createOutbound(options: OutboundOptions): Outbound {
  return {
    async fetch({ limits, ...request }, signal) {
      const deadline = startDeadline(limits.totalMs, signal);
      try {
        return await readAnswer(await followRedirects(options, { ...request, ...limits }, deadline), limits.maxBytes);
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

async function readAnswer(answered: FinalAnswer, maxBytes: number): Promise<OutboundAnswer> {
  const { opened, destination } = answered;
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of capped(answered, maxBytes)) chunks.push(chunk);
    const { code, headers } = opened;
    return { status: 'answered', code, headers, body: Buffer.concat(chunks), url: destination.url.href };
  } finally {
    opened.close();
  }
}
