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
import type { Identity } from '#core/ports/login.ts';
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
  { connect, another, keeps }: { readonly connect: ConnectId; readonly another: boolean; readonly keeps: boolean },
): Promise<{ readonly redirect: string }> {
  const [state, nonce] = [world.newToken(), world.newToken()];
  const verifier = await loginVerifier(world, state);
  const url = await world.identity.loginUrl({
    redirectUrl: callbackUrl(world),
    state,
    nonce,
    verifier,
    another,
    keeps,
  });
  const login = { kind: 'login', connect, state, nonce, keeps, until: loginFrom(world.stamp.now()) } as const;
  writeCookie(context, 'login', { text: await carry(world.seals, login), lastsMs: LOGIN_MS });
  return { redirect: url };
}

/** A user who has agreed that their identity is kept, and has signed in for it. */
interface Kept {
  readonly connect: ConnectId;
  readonly visitor: Visitor;
  readonly identity: Identity;
}

export async function finishLogin(world: ConnectWorld, context: Context): Promise<Reply | Kept> {
  const login = await carriedLogin(world.seals, readCookie(context, 'login'), world.stamp.now());
  // An answer is taken once, whatever it is.
  dropCookie(context, 'login');
  if (login === null) return { page: loginFailedPage(null) };
  const { search } = new URL(context.req.url);
  const verifier = await loginVerifier(world, login.state);
  const url = `${callbackUrl(world)}${search}`;
  const { state, nonce, keeps } = login;
  const loggedIn = await world.identity.loggedIn({ url, state, nonce, verifier, keeps });
  const link = `${world.baseUrl}/${login.connect}`;
  if (loggedIn === null) return { page: loginFailedPage(link) };
  const { user, identity } = loggedIn;
  // A new name for the browser with each login: what an earlier user approved in it is not this one's to finish.
  const visitor = { kind: 'visitor', user, browser: world.newToken(), until: visitFrom(world.stamp.now()) } as const;
  writeCookie(context, 'visit', { text: await carry(world.seals, visitor), lastsMs: VISIT_MS });
  return identity === null ? { redirect: link } : { connect: login.connect, visitor, identity };
}

function callbackUrl({ baseUrl }: ConnectWorld): string {
  return `${baseUrl}/login/callback`;
}

/** PKCE's secret, derived like that of a consent. */
function loginVerifier({ seals }: ConnectWorld, state: string): Promise<string> {
  return seals.seal('verifier', `login.${state}`);
}
