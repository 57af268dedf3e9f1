import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from './frames.ts';
import type { Reply } from './script.ts';
import type { Wire } from './wires.ts';

interface Sending {
  readonly wire: Wire;
  readonly frames: readonly Frame[];
  readonly reply: Reply;
}

/** Sends frames with the faults and pauses that the reply asks for. */
export async function sendStream(response: ServerResponse, sending: Sending): Promise<void> {
  const { wire, frames, reply } = sending;
  const limit = Math.min(reply.cutAfter ?? frames.length, reply.error?.afterFrames ?? frames.length);
  const sent = frames.slice(0, limit);
  if (reply.chunkDelayMs === undefined && reply.hold === undefined) response.write(joined(sent.map(wire.frame)));
  else await sendSlowly(response, { ...sending, frames: sent });
  if (response.destroyed) return;
  if (reply.error !== undefined) response.end(wire.streamError(reply.error));
  else if (reply.cutAfter === undefined) response.end();
  else cut(response);
}

async function sendSlowly(response: ServerResponse, { wire, frames, reply }: Sending): Promise<void> {
  for (const [number, frame] of frames.entries()) {
    if (number === (reply.holdBefore ?? 1)) await Promise.race([reply.hold, closed(response)]);
    if (frame.type === 'content_block_delta' && reply.chunkDelayMs !== undefined) await sleep(reply.chunkDelayMs);
    if (response.destroyed) return;
    if (frame.type === 'content_block_delta') reply.onDelta?.();
    response.write(wire.frame(frame));
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

/** Frames without pauses between them reach the client in one piece. */
function joined(frames: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(frames.map((frame) => Buffer.from(frame)));
}
