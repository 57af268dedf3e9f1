/** What a browser keeps for this service between two pages: sealed, so that it can be believed, and short-lived. */
import * as z from 'zod';
import { ConnectId, Instant } from '#contract/ids.ts';
import { later } from '#core/ports/stamp.ts';
import type { Seals } from '#core/ports/login.ts';

/** A user that the identity provider has named. `browser` tells two logins of one user apart. */
const Visitor = z.object({ kind: z.literal('visitor'), user: z.string(), browser: z.string(), until: Instant });
export type Visitor = z.infer<typeof Visitor>;

/** A login under way, and the link that the user wants to see. */
const Login = z.object({
  kind: z.literal('login'),
  connect: ConnectId,
  state: z.string(),
  nonce: z.string(),
  /** The user has agreed that their identity is kept. */
  keeps: z.boolean(),
  until: Instant,
});

const Carried = z.discriminatedUnion('kind', [Visitor, Login]);
type Carried = z.infer<typeof Carried>;
type CarriedAs<Kind extends Carried['kind']> = Extract<Carried, { kind: Kind }>;

export const LASTS_MS = { visitor: 60 * 60_000, login: 10 * 60_000 } as const;

/** As the text of a cookie. */
export async function carry<Kind extends Carried['kind']>(
  seals: Seals,
  carried: Omit<CarriedAs<Kind>, 'until'> & { readonly kind: Kind },
  now: Instant,
): Promise<string> {
  const text = encodeURIComponent(JSON.stringify({ ...carried, until: later(now, LASTS_MS[carried.kind]) }));
  return `${text}.${await seals.seal('cookie', text)}`;
}

/** What a cookie says; null unless this service sealed it, and it is of this kind and not too old. */
export async function carriedAs<Kind extends Carried['kind']>(
  kind: Kind,
  cookie: string | undefined,
  { seals, now }: { readonly seals: Seals; readonly now: Instant },
): Promise<CarriedAs<Kind> | null> {
  const [, text = '', seal = ''] = /^(.*)\.([^.]*)$/s.exec(cookie ?? '') ?? [];
  if (!(await seals.isSeal('cookie', text, seal))) return null;
  const { data } = Carried.safeParse(JSON.parse(decodeURIComponent(text)));
  return data?.kind === kind && now < data.until ? (data as CarriedAs<Kind>) : null;
}
