/** The outcome of an attempt: a result for the model, or a call that waits until a person has acted. */
import type { Attempted, PermittedCall } from '#core/mcp/attempt-call.ts';
import { NOTHING_DONE, type AuditedOutcome } from '#core/mcp/audited.ts';
import type { Carried } from '#core/mcp/caller.ts';
import { connectingHelps, connectionUrl } from '#core/mcp/connection-link.ts';
import { contentOf } from '#core/mcp/content.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { redact, redactBlocks, redactFailure, redactRequests } from '#core/mcp/redact.ts';
import {
  askToOpen,
  failureText,
  MAY_HAVE_HAD_AN_EFFECT,
  noToken,
  retryAfter,
  troubleOf,
  unauthenticated,
  type Trouble,
} from '#core/mcp/trouble.ts';
import { hookResult } from '#core/policy/hook-call.ts';
import type { Suspension } from '#core/ports/call-marks.ts';
import type { McpFailure, UrlRequest } from '#core/ports/mcp-client.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import type { Match } from '#core/ports/vault-records.ts';
import type { CommandTo } from '#core/session/commands.ts';

export interface CallOutcome extends Recorded {
  /** What the session is told of the call. */
  readonly tell: Omit<CommandTo<'result'>, 'call'> | Omit<CommandTo<'suspend'>, 'call'>;
  /** What the next attempt goes on from; null for a result, and for what this one went on from, when it sent nothing. */
  readonly suspension: Suspension | null;
}

interface Recorded {
  readonly audited: AuditedOutcome;
  /** For the log. */
  readonly detail: string | null;
}

/** An error that the model is told: `kind: text`. `trouble` is what people are told beside it. */
export function errorResult(
  kind: string,
  text: string,
  recorded: Recorded,
  trouble?: Trouble & { readonly server: string },
): CallOutcome {
  const content = [{ type: 'text' as const, text: `${kind}: ${text}` }];
  const error = trouble === undefined ? {} : { error: trouble };
  return { tell: { do: 'result', content, isError: true, ...error }, suspension: null, ...recorded };
}

function auditedAs(
  { permit }: PermittedCall,
  carried: Carried | null,
  audited: Pick<AuditedOutcome, 'outcome'> & Partial<AuditedOutcome>,
): AuditedOutcome {
  const { match } = permit.identity;
  return {
    ...NOTHING_DONE,
    vault: match?.vault.id ?? null,
    credential: match?.stored.credential.id ?? null,
    credential_version: carried?.version() ?? match?.stored.version ?? null,
    ...audited,
  };
}

export async function outcomeOf(
  world: McpProxyWorld,
  permitted: PermittedCall,
  attempted: Exclude<Attempted, { status: 'settled' }>,
): Promise<CallOutcome> {
  switch (attempted.status) {
    case 'limited': {
      const text = `The user's calls of this MCP server are limited, and the limit is reached.`;
      const audited = auditedAs(permitted, null, { outcome: 'failed', error: 'rate_limited' });
      const detail = 'own limit';
      return errorResult('rate_limited', `${text}${retryAfter(attempted.retryAfterMs)}`, { audited, detail });
    }
    case 'no token':
      return withoutToken(world, permitted, attempted.why);
    case 'unknown':
      return unknownOutcome(permitted);
    case 'untold': {
      const { suspension } = attempted;
      const audited = auditedAs(permitted, null, { outcome: 'suspended', error: 'attempt_died' });
      const tell = { do: 'suspend' as const, sincePosition: permitted.sincePosition, error: suspension.error };
      return { tell, suspension, audited, detail: null };
    }
    case 'interrupted': {
      const outcome = attempted.carried === null ? 'failed' : 'unknown';
      const audited = auditedAs(permitted, attempted.carried, { outcome, error: 'interrupted' });
      return errorResult('interrupted', MAY_HAVE_HAD_AN_EFFECT, { audited, detail: null });
    }
    case 'answered':
      return answered(world, permitted, attempted);
    case 'input_required':
      return inputRequired(permitted, attempted);
    case 'failed':
      return failed(world, permitted, attempted);
    default:
      return attempted satisfies never;
  }
}

/** For a call that an earlier attempt may have sent; `permitted` is null for a call that may not be made any more. */
export function unknownOutcome(permitted: PermittedCall | null): CallOutcome {
  const text = `An earlier attempt at this call ended before its result was known. ${MAY_HAVE_HAD_AN_EFFECT}`;
  const died = { outcome: 'unknown', error: 'attempt_died' } as const;
  const audited = permitted === null ? { ...NOTHING_DONE, ...died } : auditedAs(permitted, null, died);
  return errorResult('outcome_unknown', text, { audited, detail: null });
}

async function withoutToken(world: McpProxyWorld, permitted: PermittedCall, why: NoBearer): Promise<CallOutcome> {
  const { server, identity } = permitted.permit;
  const error = { ...noToken(server.name, why, identity), server: server.name };
  const recorded = (outcome: AuditedOutcome['outcome']) => ({
    audited: auditedAs(permitted, null, { outcome, error: why.status }),
    detail: why.detail,
  });
  const tell = connectingHelps(why) ? await untilConnected(world, permitted, { error, challenge: null }) : null;
  if (tell !== null) return { tell, suspension: null, ...recorded('suspended') };
  return errorResult('authentication', unauthenticated(why, identity), recorded('failed'), error);
}

/** Lets the call wait until its user has connected the server; null when the user cannot be asked to. */
async function untilConnected(
  world: McpProxyWorld,
  { caller, call, sincePosition, permit: { server, identity } }: PermittedCall,
  { error, challenge }: { readonly error: CommandTo<'suspend'>['error']; readonly challenge: McpFailure | null },
): Promise<Extract<CallOutcome['tell'], { do: 'suspend' }> | null> {
  const waiting = { id: call.id, sincePosition };
  const url = await connectionUrl(world, caller, { server, identity, challenge, call: waiting });
  if (url === null) return null;
  const message = `${error.message} To let the session go on, open ${url}`;
  return { do: 'suspend', sincePosition, error: { ...error, message } };
}

type AttemptedAs<Status extends Attempted['status']> = Extract<Attempted, { status: Status }>;

const markerOf = ({ permit }: PermittedCall) => `[redacted:${permit.identity.match?.stored.credential.id ?? 'secret'}]`;

/** The customer's hook sees what the model would see, without secrets and without what is not text. */
async function answered(
  { hooks }: McpProxyWorld,
  permitted: PermittedCall,
  { carried, content: sent, isError }: AttemptedAs<'answered'>,
): Promise<CallOutcome> {
  const { blocks, found } = redactBlocks(sent, carried.inUse(), markerOf(permitted));
  const content = contentOf(blocks);
  const output = content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join('\n');
  const { facts, input } = permitted.permit;
  const hooked = await hookResult(hooks, { id: permitted.call.id, facts, input }, { success: !isError, output });
  const audited = (error: string | null) => {
    const outcome = isError ? 'tool_error' : 'done';
    return auditedAs(permitted, carried, { outcome, error, http_status: 200, secret_echo: found });
  };
  if (hooked.status === 'withheld') {
    const text = `The call was made, and its result is not shown. ${hooked.reason}`;
    return errorResult('withheld', text, { audited: audited(hooked.code), detail: hooked.code });
  }
  const shown = hooked.output === null ? content : contentOf([{ type: 'text', text: hooked.output }]);
  const tell = { do: 'result' as const, content: shown, isError };
  return { tell, suspension: null, audited: audited(hooked.isSilent ? 'hook_silent' : null), detail: null };
}

/** A server may send people to one page after another without end: the call fails after this many suspensions. */
const MAX_SUSPENSIONS = 5;
/** More pages at once than people would look at. */
const MAX_PAGES = 5;
/** The limit for all that is kept beside the call's mark. */
const MAX_KEPT_CHARS = 64_000;
const MAX_URL_CHARS = 4000;

/** The server wants a person to open a page before it goes on. Only people see the URL (`docs/security.md`, Consent). */
function inputRequired(
  permitted: PermittedCall,
  { carried, before, requests: wanted, state }: AttemptedAs<'input_required'>,
): CallOutcome {
  const { permit, sincePosition } = permitted;
  const { requests: shown, found } = redactRequests(wanted, carried.inUse(), markerOf(permitted));
  const requests = shown.filter(isOpenable);
  const causes = [...before.causes, 'input_required'];
  const suspension = { requests: requests.map(({ id }) => id), state, causes };
  const kept = JSON.stringify(suspension);
  const isTooMuch = requests.length > MAX_PAGES || kept.length > MAX_KEPT_CHARS;
  // The state is stored in the clear, because the server gets it back byte for byte: a secret must not be in it.
  const isSecret = redact(kept, carried.inUse(), '').found;
  const isRefused = requests.length === 0 || isTooMuch || isSecret || before.causes.length >= MAX_SUSPENSIONS;
  const audited = auditedAs(permitted, carried, {
    ...(isRefused ? { outcome: 'failed', error: 'input_refused' } : { outcome: 'suspended', error: 'input_required' }),
    http_status: 200,
    secret_echo: found || isSecret,
  });
  if (isRefused) {
    const text = 'The MCP server wants something that a person cannot be asked for here.';
    return errorResult('input_required', text, { audited, detail: `${wanted.length} requests` });
  }
  const server = permit.server.name;
  const error = { type: 'mcp_authentication_failed_error' as const, server, message: askToOpen(server, requests) };
  return { tell: { do: 'suspend', error, sincePosition }, suspension, audited, detail: null };
}

/** A URL with another scheme is a program. */
function isOpenable({ url }: UrlRequest): boolean {
  return url.length <= MAX_URL_CHARS && /^https?:$/.test(URL.parse(url)?.protocol ?? '');
}

/** What the model is shown of the server's words, after the customer's hook has seen them. */
async function hookedWords(
  { hooks }: McpProxyWorld,
  { call, permit: { facts, input } }: PermittedCall,
  { said }: McpFailure,
): Promise<string | null> {
  if (said === null) return null;
  const hooked = await hookResult(hooks, { id: call.id, facts, input }, { success: false, output: said });
  return hooked.status === 'withheld' ? null : (hooked.output ?? said);
}

async function failed(
  world: McpProxyWorld,
  permitted: PermittedCall,
  attempted: AttemptedAs<'failed'>,
): Promise<CallOutcome> {
  const { carried, before, ...told } = attempted;
  const { failure, found } = redactFailure(told, carried.inUse());
  const { kind } = failure;
  const { server, identity } = permitted.permit;
  const why = carried.notRenewed();
  const trouble = why === null ? troubleOf(server.name, failure, identity) : noToken(server.name, why, identity);
  const error = trouble === null ? undefined : { ...trouble, server: server.name };
  const http = { http_status: failure.http?.status_code ?? null, secret_echo: found };
  const recorded = (outcome: AuditedOutcome['outcome']) => ({
    audited: auditedAs(permitted, carried, { outcome, error: kind, ...http }),
    detail: why === null ? failure.detail : `${failure.detail}; ${why.detail}`,
  });
  const wanted = [kind, ...failure.scopes.toSorted()].join(' ');
  const mayHelp = (kind === 'authentication' || kind === 'scope_required') && why?.status !== 'unavailable';
  if (error !== undefined && mayHelp && !askedInVain(before, wanted, identity.match)) {
    const tell = await untilConnected(world, permitted, { error, challenge: failure });
    const cause = `${wanted} ${stateOf(identity.match, carried.version())}`;
    const causes = before.causes.includes(cause) ? before.causes : [...before.causes, cause];
    if (tell !== null) return { tell, suspension: { ...before, causes }, ...recorded('suspended') };
  }
  const said = await hookedWords(world, permitted, failure);
  return errorResult(kind, failureText({ ...failure, said }, why, identity), recorded('failed'), error);
}

/**
 * Whether the user was asked for the same before, and connected the server without effect: then the credential differs from
 * the one that the cause names. When a person only confirmed the call, the credential is the same, and the user may be
 * asked again.
 */
function askedInVain({ causes }: Suspension, wanted: string, match: Match | null): boolean {
  const unchanged = `${wanted} ${stateOf(match, null)}`;
  return causes.some((cause) => cause.startsWith(`${wanted} @`) && cause !== unchanged);
}

/** `version` is the one that the attempt used; null stands for the one that it found. */
function stateOf(match: Match | null, version: number | null): string {
  return match === null ? '@none' : `@${match.stored.credential.id}.${version ?? match.stored.version}`;
}
