import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorEnvelope } from './error-envelope.ts';
import type { Frame } from './frames.ts';
import type { Reply } from './script.ts';

/** Sends frames as server-sent events, with the faults and pauses that the reply asks for. */
export async function sendStream(response: ServerResponse, frames: readonly Frame[], reply: Reply): Promise<void> {
  const limit = Math.min(reply.cutAfter ?? frames.length, reply.error?.afterFrames ?? frames.length);
  const sent = frames.slice(0, limit);
  if (reply.chunkDelayMs === undefined && reply.hold === undefined) response.write(sent.map(frameText).join(''));
  else await sendSlowly(response, sent, reply);
  if (response.destroyed) return;
  if (reply.error !== undefined) response.end(errorText(reply.error));
  else if (reply.cutAfter === undefined) response.end();
  else cut(response);
}

async function sendSlowly(response: ServerResponse, frames: readonly Frame[], reply: Reply): Promise<void> {
  for (const [number, frame] of frames.entries()) {
    if (number === (reply.holdBefore ?? 1)) await Promise.race([reply.hold, closed(response)]);
    if (frame.type === 'content_block_delta' && reply.chunkDelayMs !== undefined) await sleep(reply.chunkDelayMs);
    if (response.destroyed) return;
    response.write(frameText(frame));
  }
}

/** Ends the TCP connection without the last HTTP chunk: the client has every frame so far and then loses its peer. */
function cut(response: ServerResponse): void {
  response.write('', () => response.socket?.destroySoon());
}

/** A client that went away must not leave a held stream behind. */
function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once('close', resolve));
}

function frameText(frame: Frame): string {
  return `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`;
}

function errorText(error: { readonly type: string; readonly message: string }): string {
  return `event: error\ndata: ${JSON.stringify(errorEnvelope(error))}\n\n`;
}
