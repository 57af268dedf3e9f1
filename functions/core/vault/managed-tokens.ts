/**
 * Access tokens for servers that a user's organisation manages: the identity in the user's vault is exchanged at the
 * identity provider, and the result at the server's authorization server. The tokens are kept in memory only and nothing
 * rotates, so an instance that dies costs two requests.
 */
import type { Instant } from '#contract/ids.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import { later } from '#core/ports/stamp.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Bearer, NoBearer, Tokens } from '#core/ports/tokens.ts';
import type { Match } from '#core/ports/vault-records.ts';
import { requestAdmission, requestAssertion, type AdmissionReply, type IdJagWorld } from '#core/vault/id-jag.ts';
import { idTokenExpiry, idTokenUser } from '#core/vault/id-token.ts';
import { SPARE_MS, usableUntilMs } from '#core/vault/tokens.ts';

/** `user` is the user that the session acts for; null when no vault of the session names one. */
export type ManagedTokens = (server: ManagedServer, user: string | null) => Tokens;

interface ManagedTokensWorld extends IdJagWorld {
  /** The tokens of identities. */
  readonly tokens: Tokens;
  readonly journal: Journal;
}

/** How long a failure is the answer before the provider is asked again. */
const COOLDOWN_MS = 30_000;
/** Each takes some kilobytes, and an instance serves few users at a time. */
const MOST_ENTRIES = 1000;

export function createManagedTokens(world: ManagedTokensWorld): ManagedTokens {
  const kept = createExpiring<Bearer | NoBearer>(() => Date.parse(world.stamp.now()), MOST_ENTRIES);

  async function exchanged(wanted: WantedAccess): Promise<Bearer | NoBearer> {
    const { answer, version, untilMs } = await exchange(world, wanted);
    kept.keep(accessName(wanted, version), answer, untilMs);
    return answer;
  }

  return (server, user) => ({
    async bearer(match, signal) {
      const wanted = { server, user, match, signal };
      return kept.find(accessName(wanted, match.stored.version)) ?? exchanged(wanted);
    },
    renew: (match, _refused, signal) => exchanged({ server, user, match, signal }),
  });
}

/** The version of the row is part of it: when the identity changes, the access that it gave ends. */
function accessName({ server, user, match }: WantedAccess, version: number): string {
  const { workspace, credential } = match.stored;
  return JSON.stringify([workspace, credential.id, version, user, server.url]);
}

interface WantedAccess {
  readonly server: ManagedServer;
  readonly user: string | null;
  readonly match: Match;
  readonly signal: AbortSignal;
}

interface Exchanged {
  readonly answer: Bearer | NoBearer;
  /** The version of the identity's row at the exchange, which may have renewed the identity. */
  readonly version: number;
  /** Epoch milliseconds, until which the answer holds. */
  readonly untilMs: number;
}

async function exchange(world: ManagedTokensWorld, wanted: WantedAccess): Promise<Exchanged> {
  const { match, signal } = wanted;
  const { version } = match.stored;
  const identity = await world.tokens.bearer(match, signal);
  if (identity.status !== 'bearer') return { answer: identity, version, untilMs: 0 };
  const first = await exchangeAs(world, wanted, identity);
  if (!first.isStale) return first;
  // The end of an identity may be unknown; then only the provider's refusal shows that it is over.
  if (match.stored.secrets.refresh_token === undefined) {
    return isOver(identity.token, world.stamp.now()) ? { answer: SIGNED_OUT, version, untilMs: 0 } : first;
  }
  const renewed = await world.tokens.renew(match, identity, signal);
  if (renewed.status !== 'bearer') return { answer: renewed, version, untilMs: 0 };
  return exchangeAs(world, wanted, renewed);
}

/** The errors of RFC 6749 and RFC 8693 for a token that is over. They have other meanings too. */
const OF_SUBJECTS: readonly string[] = ['invalid_grant', 'invalid_request'];

/** The provider's clock may differ from this one. */
function isOver(idToken: string, now: Instant): boolean {
  const end = idTokenExpiry(idToken);
  return end !== null && end <= later(now, SPARE_MS);
}

const SIGNED_OUT: NoBearer = {
  status: 'needs_reauth',
  retryAfterMs: null,
  detail: 'the ID token is over and there is no refresh token',
};

async function exchangeAs(
  world: ManagedTokensWorld,
  { server, user, match, signal }: WantedAccess,
  identity: Bearer,
): Promise<Exchanged & { readonly isStale: boolean }> {
  const { version } = identity;
  if (!isOfUser(world, user, identity)) return { answer: OTHER_USER, version, untilMs: 0, isStale: false };
  const began = world.stamp.now();
  const asserted = await requestAssertion(world, server, { idToken: identity.token, signal });
  const admitted =
    asserted.status === 'asserted' ? await requestAdmission(world, server, { ...asserted, signal }) : asserted;
  world.journal.line('managed access', {
    credential: match.stored.credential.id,
    server: server.url,
    outcome: admitted.status,
    detail: admitted.status === 'admitted' ? null : admitted.detail,
    duration_ms: Date.parse(world.stamp.now()) - Date.parse(began),
  });
  if (admitted.status !== 'admitted') {
    const isStale = asserted.status === 'refused' && OF_SUBJECTS.includes(asserted.code);
    return { answer: noAccess(admitted), version, untilMs: Date.parse(began) + COOLDOWN_MS, isStale };
  }
  const { token, expiresAt } = admitted;
  const assertion = asserted.status === 'asserted' ? [asserted.assertion] : [];
  const answer: Bearer = { ...identity, token, inUse: [token, ...assertion, ...identity.inUse] };
  return { answer, version, untilMs: usableUntilMs(Date.parse(began), expiresAt), isStale: false };
}

/** Whether the ID token names the user that the session acts for: an identity in the wrong vault gives no access. */
function isOfUser({ enterprise }: ManagedTokensWorld, user: string | null, { token }: Bearer): boolean {
  return user === null || enterprise === null || idTokenUser(token, enterprise.login.userClaim) === user;
}

const OTHER_USER: NoBearer = {
  status: 'other_user',
  retryAfterMs: null,
  detail: 'the ID token does not name the user of the vault',
};

/** Errors that say nothing of the user: this service is set up wrongly there, or the server is busy. */
const NOT_OF_USERS: readonly string[] = [
  'invalid_client',
  'unsupported_grant_type',
  'server_error',
  'temporarily_unavailable',
  'slow_down',
];

/** A refusal is the organisation's, so a consent of the user could not change it. After a failure, a retry can help. */
function noAccess({ detail, ...reply }: Exclude<AdmissionReply, { status: 'admitted' }>): NoBearer {
  const isDenied = reply.status === 'refused' && !NOT_OF_USERS.includes(reply.code);
  return isDenied
    ? { status: 'access_denied', retryAfterMs: null, detail }
    : { status: 'unavailable', retryAfterMs: COOLDOWN_MS, detail };
}
