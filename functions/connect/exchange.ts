import type { Context } from 'hono';
import type { ConnectWorld } from './connect-world.ts';
import type { Reply } from './reply.ts';

export type Fields = Readonly<Record<string, string | number>>;

/** One request, while it is answered. */
export interface Exchange {
  readonly world: ConnectWorld;
  readonly context: Context;
  readonly requestId: string;
  readonly note: (fields: Fields) => void;
}

export type Work = (exchange: Exchange) => Promise<Reply>;
