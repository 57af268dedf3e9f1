/** What a browser carries for us between two pages: sealed, so that it can be believed, and short-lived. */
import * as z from 'zod';
import { ConnectId, Instant } from '#contract/ids.ts';
import { later } from '#core/ports/instant.ts';
import type { Seals } from '#core/ports/login.ts';

/** Somebody whom the identity provider has named. `browser` tells two logins of one user apart. */
const Visitor = z.object({ kind: z.literal('visitor'), user: z.string(), browser: z.string(), until: Instant });
export type Visitor = z.infer<typeof Visitor>;

/** Somebody who was sent to the identity provider, and the link that they want to see. */
const Login = z.object({
  kind: z.literal('login'),
  connect: ConnectId,
  state: z.string(),
  nonce: z.string(),
  /** The identity is to be kept: somebody has agreed to that. */
  keeps: z.boolean(),
  until: Instant,
});
type Login = z.infer<typeof Login>;

const Carried = z.discriminatedUnion('kind', [Visitor, Login]);
type Carried = z.infer<typeof Carried>;

export const VISIT_MS = 60 * 60_000;
export const LOGIN_MS = 10 * 60_000;

/** As the text of a cookie. */
export async function carry(seals: Seals, carried: Carried): Promise<string> {
  const text = encodeURIComponent(JSON.stringify(carried));
  return `${text}.${await seals.seal('cookie', text)}`;
}

/** What a cookie says, if it is ours, of this kind and not too old. */
export async function carriedVisitor(seals: Seals, cookie: string | undefined, now: Instant): Promise<Visitor | null> {
  const carried = await unseal(seals, cookie, now);
  return carried?.kind === 'visitor' ? carried : null;
}

export async function carriedLogin(seals: Seals, cookie: string | undefined, now: Instant): Promise<Login | null> {
  const carried = await unseal(seals, cookie, now);
  return carried?.kind === 'login' ? carried : null;
}

async function unseal(seals: Seals, cookie: string | undefined, now: Instant): Promise<Carried | null> {
  const [, text = '', seal = ''] = /^([^.]*(?:\.[^.]*)*)\.([^.]*)$/.exec(cookie ?? '') ?? [];
  if (!(await seals.isSeal('cookie', text, seal))) return null;
  const { data } = Carried.safeParse(JSON.parse(decodeURIComponent(text)));
  return data !== undefined && now < data.until ? data : null;
}

export function visitFrom(now: Instant): Instant {
  return later(now, VISIT_MS);
}

export function loginFrom(now: Instant): Instant {
  return later(now, LOGIN_MS);
}
