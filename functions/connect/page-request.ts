import type { Context } from 'hono';
import type { Answering } from '../http/journal-request.ts';
import type { ConnectWorld } from './connect-world.ts';
import type { Reply } from './reply.ts';

/** One request, while it is answered. */
export interface PageRequest extends Answering {
  readonly world: ConnectWorld;
  readonly context: Context;
}

export type Work = (request: PageRequest) => Promise<Reply>;
