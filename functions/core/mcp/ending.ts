/** What an attempt comes to: a result for the model, or a call that waits until a person has acted. */
import type { ToolContent } from '#contract/content.ts';
import type { PermittedCall } from '#core/mcp/attempt.ts';
import { NOTHING_DONE, type CallOutcome } from '#core/mcp/audited.ts';
import type { McpTrouble, Suspension } from '#core/ports/call-marks.ts';
import type { Carried } from '#core/mcp/caller.ts';
import { consentUrl, pastedCredential, type Holder } from '#core/mcp/consent.ts';
import type { McpFailure } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

/** For the audit trail; how long it took is the caller's to know. */
export type Came = Omit<CallOutcome, 'duration_ms'>;

interface Said {
  readonly came: Came;
  /** For the log. */
  readonly detail: string | null;
}

export interface Result extends Said {
  readonly do: 'result';
  readonly content: ToolContent;
  readonly isError: boolean;
  /** What people are told beside it. */
  readonly error?: McpTrouble;
}

export interface Suspended extends Said {
  readonly do: 'suspend';
  readonly error: McpTrouble;
  /** What the next attempt goes on from; null when this one did not get as far as to be marked. */
  readonly suspension: Suspension | null;
  /** Of the open call that is to wait. */
  readonly since: number;
}

export type Ending = Result | Suspended;

/** An error that the model is told: what kind it is of, and what may help. */
export function failing(kind: string, text: string, said: Said, error?: McpTrouble): Result {
  const content = [{ type: 'text' as const, text: `${kind}: ${text}` }];
  return { do: 'result', content, isError: true, ...(error === undefined ? {} : { error }), ...said };
}

export function cameOf(
  { permit }: PermittedCall,
  carried: Carried | null,
  came: Pick<Came, 'outcome'> & Partial<Came>,
): Came {
  const { match } = permit.identity;
  return {
    ...NOTHING_DONE,
    vault: match?.vault.id ?? null,
    credential: match?.stored.credential.id ?? null,
    credential_version: carried?.version() ?? match?.stored.version ?? null,
    ...came,
  };
}

export const MAY_HAVE_HAD_AN_EFFECT = 'It may or may not have had an effect: find out before you make it again.';

/** For the model, at the end of a text. */
export const retryAfter = (ms: number | null) => (ms === null ? '' : ` (retry_after_ms: ${ms})`);

/** For the model: why there is no token for a call. */
export function unauthenticated({ status, retryAfterMs }: NoBearer, holder: Holder): string {
  const isPasted = pastedCredential(holder) !== null;
  const refusal = status === 'needs_reauth' && isPasted ? refusedCredential(holder) : null;
  return `${refusal ?? UNAUTHENTICATED[status]}${retryAfter(retryAfterMs)}`;
}

/** For the model: what a server refused, if there is more to say than that it did. */
export function refusedCredential(holder: Holder): string | null {
  if (holder.match === null) {
    return 'The MCP server asks for a credential, and this session has none for it. One has to be added before it can be called.';
  }
  const pasted = pastedCredential(holder);
  if (pasted === null) return null;
  return `The MCP server refused the token of the credential ${pasted}, which has to be replaced before it can be called.`;
}

const UNAUTHENTICATED = {
  needs_reauth: 'The user has to connect this MCP server before it can be called.',
  other_user:
    'The sign-in that is kept for this MCP server is not that of the user, who has to sign in before it can be called.',
  access_denied: 'The organisation of the user does not give access to this MCP server. Asking again does not help.',
  unavailable: 'The access token for this MCP server cannot be had just now, so the call was not made. Try it later.',
};

/** Where the user can consent, for people. */
export function linkFor(
  world: McpProxyWorld,
  { caller, call: { id }, since, permit }: PermittedCall,
  challenge: McpFailure | null,
) {
  const { server, identity } = permit;
  return consentUrl(world, caller, { server, identity, challenge, call: { id, since } });
}

export function withLink({ message, ...error }: McpTrouble, url: string): McpTrouble {
  return { ...error, message: `${message} To let the session go on, open ${url}` };
}
