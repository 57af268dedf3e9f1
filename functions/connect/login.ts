/** Identifies the user at the browser: the customer's identity provider names them, and a cookie keeps that for an hour. */
import type { Context } from 'hono';
import type { ConnectId } from '#contract/ids.ts';
import { linkUrl } from '#core/connect/connection.ts';
import { carriedAs, carry, LASTS_MS, type Visitor } from '#core/connect/visitor.ts';
import type { LoggedIn } from '#core/ports/login.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { dropCookie, readCookie, writeCookie } from './cookies.ts';

export function visitorOf({ seals, stamp }: ConnectWorld, context: Context): Promise<Visitor | null> {
  return carriedAs('visitor', readCookie(context, 'visit'), { seals, now: stamp.now() });
}

/** The URL at which the browser logs in. */
export async function startLogin(
  world: ConnectWorld,
  context: Context,
  { connect, another, keeps }: { readonly connect: ConnectId; readonly another: boolean; readonly keeps: boolean },
): Promise<string> {
  const [state, nonce] = [world.newToken(), world.newToken()];
  const verifier = await loginVerifier(world, state);
  const redirectUrl = callbackUrl(world);
  const url = await world.identity.loginUrl({ redirectUrl, state, nonce, verifier, another, keeps });
  const text = await carry(world.seals, { kind: 'login', connect, state, nonce, keeps }, world.stamp.now());
  writeCookie(context, 'login', { text, lastsMs: LASTS_MS.login });
  return url;
}

type FinishedLogin =
  | ({ readonly status: 'finished'; readonly connect: ConnectId } & LoggedIn)
  /** `retryUrl` is null when the browser does not say which link it wants. */
  | { readonly status: 'failed'; readonly retryUrl: string | null };

export async function finishLogin(world: ConnectWorld, context: Context): Promise<FinishedLogin> {
  const { seals, stamp, identity } = world;
  const login = await carriedAs('login', readCookie(context, 'login'), { seals, now: stamp.now() });
  // An answer is accepted once, whatever it says.
  dropCookie(context, 'login');
  if (login === null) return { status: 'failed', retryUrl: null };
  const { connect, state, nonce, keeps } = login;
  const verifier = await loginVerifier(world, state);
  const url = `${callbackUrl(world)}${new URL(context.req.url).search}`;
  const loggedIn = await identity.loggedIn({ url, state, nonce, verifier, keeps });
  if (loggedIn === null) return { status: 'failed', retryUrl: linkUrl(world.baseUrl, { id: connect }) };
  // Each login gives the browser a new name: this user must not finish what an earlier user approved in it.
  const visitor = { kind: 'visitor', user: loggedIn.user, browser: world.newToken() } as const;
  writeCookie(context, 'visit', { text: await carry(seals, visitor, stamp.now()), lastsMs: LASTS_MS.visitor });
  return { status: 'finished', connect, ...loggedIn };
}

function callbackUrl({ baseUrl }: ConnectWorld): string {
  return `${baseUrl}/login/callback`;
}

/** The secret of PKCE: it is derived, like that of an attempt. */
function loginVerifier({ seals }: ConnectWorld, state: string): Promise<string> {
  return seals.seal('verifier', `login.${state}`);
}
