/**
 * Access tokens for servers that a user's organisation manages: from the identity in the user's vault, over the identity
 * provider, to the server's authorization server. Nothing of it is kept but in memory and nothing rotates, so an instance
 * that dies has lost no more than two requests.
 */
import type { Instant } from '#contract/ids.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import { requestAdmission, requestAssertion, type AdmissionReply, type IdJagWorld } from '#core/vault/id-jag.ts';
import { idTokenExpiry, idTokenUser } from '#core/vault/id-token.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import { later } from '#core/ports/stamp.ts';
import type { Journal } from '#core/ports/journal.ts';
import { SPARE_MS, usableUntilMs } from '#core/vault/tokens.ts';
import type { Bearer, NoBearer, Tokens } from '#core/ports/tokens.ts';
import type { Match } from '#core/ports/vault-records.ts';

/** `user`: for whom the session acts; null when no vault of it says so. */
export type ManagedTokens = (server: ManagedServer, user: string | null) => Tokens;

interface ManagedTokensWorld extends IdJagWorld {
  /** Of identities. */
  readonly tokens: Tokens;
  readonly journal: Journal;
}

/** Before the same question is asked again after a no. */
const COOLDOWN_MS = 30_000;
/** Some kilobytes each: an instance serves few users at a time. */
const MOST_ENTRIES = 1000;

export function createManagedTokens(world: ManagedTokensWorld): ManagedTokens {
  const kept = createExpiring<Bearer | NoBearer>(() => Date.parse(world.stamp.now()), MOST_ENTRIES);

  function keep(wanted: Wanted, { answer, version, untilMs }: Exchanged): Bearer | NoBearer {
    kept.keep(nameOf(wanted, version), answer, untilMs);
    return answer;
  }

  return (server, user) => ({
    async bearer(match, signal) {
      const wanted = { server, user, match, signal };
      return kept.find(nameOf(wanted, match.stored.version)) ?? keep(wanted, await exchange(world, wanted));
    },
    async renew(match, _refused, signal) {
      const wanted = { server, user, match, signal };
      return keep(wanted, await exchange(world, wanted));
    },
  });
}

/** With the version of the row: what an identity was good for ends when it changes. */
function nameOf({ server, user, match }: Wanted, version: number): string {
  const { workspace, credential } = match.stored;
  return JSON.stringify([workspace, credential.id, version, user, server.url]);
}

interface Wanted {
  readonly server: ManagedServer;
  readonly user: string | null;
  readonly match: Match;
  readonly signal: AbortSignal;
}

interface Exchanged {
  readonly answer: Bearer | NoBearer;
  /** Of the identity's row, that it was had with: the exchange may have renewed it. */
  readonly version: number;
  /** Epoch milliseconds, until which the answer holds. */
  readonly untilMs: number;
}

async function exchange(world: ManagedTokensWorld, wanted: Wanted): Promise<Exchanged> {
  const { match, signal } = wanted;
  const { version } = match.stored;
  const identity = await world.tokens.bearer(match, signal);
  if (identity.status !== 'bearer') return { answer: identity, version, untilMs: 0 };
  const first = await exchangeAs(world, wanted, identity);
  if (!first.isStale) return first;
  // Of an identity that came without its end, only the provider's no tells that it is over.
  if (match.stored.secrets.refresh_token === undefined) {
    return isOver(identity.token, world.stamp.now()) ? { answer: SIGNED_OUT, version, untilMs: 0 } : first;
  }
  const renewed = await world.tokens.renew(match, identity, signal);
  if (renewed.status !== 'bearer') return { answer: renewed, version, untilMs: 0 };
  return exchangeAs(world, wanted, renewed);
}

/** What RFC 6749 and RFC 8693 have a provider say of a token that is no good, and of much else. */
const OF_SUBJECTS: readonly string[] = ['invalid_grant', 'invalid_request'];

/** By a clock that is not the provider's. */
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
  { server, user, match, signal }: Wanted,
  identity: Bearer,
): Promise<Exchanged & { readonly isStale: boolean }> {
  const { version } = identity;
  if (!isOf(world, user, identity)) return { answer: OTHER_USER, version, untilMs: 0, isStale: false };
  const began = world.stamp.now();
  const assertion = await requestAssertion(world, server, { idToken: identity.token, signal });
  const isStale = assertion.status === 'refused' && OF_SUBJECTS.includes(assertion.code);
  const admission =
    assertion.status === 'asserted' ? await requestAdmission(world, server, { ...assertion, signal }) : assertion;
  world.journal.line('managed access', {
    credential: match.stored.credential.id,
    server: server.url,
    outcome: admission.status,
    detail: admission.status === 'admitted' ? null : admission.detail,
    duration_ms: Date.parse(world.stamp.now()) - Date.parse(began),
  });
  if (admission.status !== 'admitted') {
    return { answer: without(admission), version, untilMs: Date.parse(began) + COOLDOWN_MS, isStale };
  }
  const { token, expiresAt } = admission;
  const said = assertion.status === 'asserted' ? [assertion.assertion] : [];
  const answer: Bearer = { ...identity, token, inUse: [token, ...said, ...identity.inUse] };
  return { answer, version, untilMs: usableUntilMs(Date.parse(began), expiresAt), isStale: false };
}

/** Whom the provider would vouch for is whom the session acts for: what was put into the wrong vault is of no use there. */
function isOf({ enterprise }: ManagedTokensWorld, user: string | null, { token }: Bearer): boolean {
  return user === null || enterprise === null || idTokenUser(token, enterprise.login.userClaim) === user;
}

const OTHER_USER: NoBearer = {
  status: 'other_user',
  retryAfterMs: null,
  detail: 'the ID token does not name the user of the vault',
};

/** These say nothing of the user: that we are set up wrongly there, or that it is not the moment. */
const NOT_OF_USERS: readonly string[] = [
  'invalid_client',
  'unsupported_grant_type',
  'server_error',
  'temporarily_unavailable',
  'slow_down',
];

/** A no is the organisation's: no consent of the user's would change it. What did not answer may do so later. */
function without({ detail, ...answer }: Exclude<AdmissionReply, { status: 'admitted' }>): NoBearer {
  const isDenied = answer.status === 'refused' && !NOT_OF_USERS.includes(answer.code);
  return isDenied
    ? { status: 'access_denied', retryAfterMs: null, detail }
    : { status: 'unavailable', retryAfterMs: COOLDOWN_MS, detail };
}
