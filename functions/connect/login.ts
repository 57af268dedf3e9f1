/** Who is at the browser: sent to the customer's identity provider, and known from its answer for an hour. */
import type { Context } from 'hono';
import type { ConnectId } from '#contract/ids.ts';
import {
  carriedLogin,
  carriedVisitor,
  carry,
  LOGIN_MS,
  loginFrom,
  VISIT_MS,
  visitFrom,
  type Visitor,
} from '#core/connect/visitor.ts';
import type { ConnectWorld } from './connect-world.ts';
import { dropCookie, readCookie, writeCookie } from './cookies.ts';
import { loginFailedPage } from './pages/message-page.ts';
import type { Reply } from './reply.ts';

export function visitorOf(world: ConnectWorld, context: Context): Promise<Visitor | null> {
  return carriedVisitor(world.seals, readCookie(context, 'visit'), world.stamp.now());
}

export async function startLogin(
  world: ConnectWorld,
  context: Context,
  { connect, another }: { readonly connect: ConnectId; readonly another: boolean },
): Promise<Reply> {
  const [state, nonce] = [world.newToken(), world.newToken()];
  const verifier = await loginVerifier(world, state);
  const url = await world.identity.loginUrl({ redirectUrl: callbackUrl(world), state, nonce, verifier, another });
  const login = { kind: 'login', connect, state, nonce, until: loginFrom(world.stamp.now()) } as const;
  writeCookie(context, 'login', { text: await carry(world.seals, login), lastsMs: LOGIN_MS });
  return { redirect: url };
}

export async function finishLogin(world: ConnectWorld, context: Context): Promise<Reply> {
  const login = await carriedLogin(world.seals, readCookie(context, 'login'), world.stamp.now());
  // An answer is taken once, whatever it is.
  dropCookie(context, 'login');
  if (login === null) return { page: loginFailedPage(null) };
  const { search } = new URL(context.req.url);
  const verifier = await loginVerifier(world, login.state);
  const url = `${callbackUrl(world)}${search}`;
  const user = await world.identity.userOf({ url, state: login.state, nonce: login.nonce, verifier });
  const link = `${world.baseUrl}/${login.connect}`;
  if (user === null) return { page: loginFailedPage(link) };
  // A new name for the browser with each login: what an earlier user approved in it is not this one's to finish.
  const visitor = { kind: 'visitor', user, browser: world.newToken(), until: visitFrom(world.stamp.now()) } as const;
  writeCookie(context, 'visit', { text: await carry(world.seals, visitor), lastsMs: VISIT_MS });
  return { redirect: link };
}

function callbackUrl({ baseUrl }: ConnectWorld): string {
  return `${baseUrl}/login/callback`;
}

/** PKCE's secret, derived like that of a consent. */
function loginVerifier({ seals }: ConnectWorld, state: string): Promise<string> {
  return seals.seal('verifier', `login.${state}`);
}
