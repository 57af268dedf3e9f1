import type { Context } from 'hono';
import type { Answering } from '../http/gateway.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { PRIVATE_HEADERS, type Page } from './pages/page.ts';

/** One request of a browser, while it is answered. */
export interface PageRequest extends Answering {
  readonly world: ConnectWorld;
  readonly context: Context;
  readonly show: (page: Page) => Promise<Response>;
}

export function redirectTo(url: string): Response {
  return new Response(null, { status: 303, headers: { ...PRIVATE_HEADERS, location: url } });
}
