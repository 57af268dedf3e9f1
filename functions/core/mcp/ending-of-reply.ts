/** What a server's reply to a call comes to. */
import type { Attempted, PermittedCall } from '#core/mcp/attempt.ts';
import { contentOf } from '#core/mcp/content.ts';
import {
  cameOf,
  failing,
  linkFor,
  MAY_HAVE_HAD_AN_EFFECT,
  refusedCredential,
  retryAfter,
  unauthenticated,
  withLink,
  type Came,
  type Ending,
} from '#core/mcp/ending.ts';
import type { Suspension } from '#core/ports/call-marks.ts';
import type { Holder } from '#core/mcp/consent.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import { hookResult } from '#core/policy/hook-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { redact, redactBlocks, redactFailure, redactRequests } from '#core/mcp/redact.ts';
import { askToOpen, openable } from '#core/mcp/suspend-for-url.ts';
import { noToken, troubleOf } from '#core/mcp/trouble.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import type { Match } from '#core/ports/vault-records.ts';

type Replied = Extract<Attempted, { status: 'replied' }>;
type ReplyOf<Status extends McpCalled['status']> = Extract<McpCalled, { status: Status }>;

export function endingOfReply(
  world: McpProxyWorld,
  permitted: PermittedCall,
  replied: Replied,
): Ending | Promise<Ending> {
  const { reply } = replied;
  switch (reply.status) {
    case 'answered':
      return answered(world, permitted, { ...replied, reply });
    case 'input_required':
      return askingPeople(permitted, replied, reply);
    case 'failed':
      return failed(world, permitted, { ...replied, reply });
    default:
      return reply satisfies never;
  }
}

function markerOf({ permit }: PermittedCall): string {
  return `[redacted:${permit.identity.match?.stored.credential.id ?? 'secret'}]`;
}

/** The customer's hook sees what the model would, without secrets and without what is no text. */
async function answered(
  { hooks }: Pick<McpProxyWorld, 'hooks'>,
  permitted: PermittedCall,
  { carried, reply }: Replied & { readonly reply: ReplyOf<'answered'> },
): Promise<Ending> {
  const { blocks, found } = redactBlocks(reply.content, carried.inUse(), markerOf(permitted));
  const content = contentOf(blocks);
  const { isError } = reply;
  const output = content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join('\n');
  const { facts, input } = permitted.permit;
  const hooked = await hookResult(hooks, { id: permitted.call.id, facts, input }, { success: !isError, output });
  const came = (error: string | null) =>
    cameOf(permitted, carried, {
      outcome: isError ? 'tool_error' : 'done',
      error,
      http_status: 200,
      secret_echo: found,
    });
  if (hooked.status === 'withheld') {
    const text = `The call was made, and its result is not shown. ${hooked.reason}`;
    return failing('withheld', text, { came: came(hooked.code), detail: hooked.code });
  }
  const shown = hooked.output === null ? content : contentOf([{ type: 'text', text: hooked.output }]);
  return { do: 'result', content: shown, isError, came: came(hooked.isSilent ? 'hook_silent' : null), detail: null };
}

/** A server that sends people from page to page without end is not followed for ever. */
const MAX_SUSPENSIONS = 5;
/** Nor one that sends them to more pages at once than they would look at. */
const MAX_PAGES = 5;
/** Of all that is kept beside the call's mark. */
const MAX_KEPT_CHARS = 64_000;

function askingPeople(
  permitted: PermittedCall,
  { carried, before }: Replied,
  reply: ReplyOf<'input_required'>,
): Ending {
  const server = permitted.permit.server.name;
  const { requests: shown, found } = redactRequests(reply.requests, carried.inUse(), markerOf(permitted));
  const requests = openable(shown);
  const suspension = {
    requests: requests.map(({ id }) => id),
    state: reply.state,
    causes: [...before.causes, 'input_required'],
  };
  const kept = JSON.stringify(suspension);
  const isTooMuch = requests.length > MAX_PAGES || kept.length > MAX_KEPT_CHARS;
  // What is to come back byte for byte is kept in the clear, so that no secret may be in it.
  const isSecret = redact(kept, carried.inUse(), '').found;
  const came = { http_status: 200, secret_echo: found || isSecret };
  if (requests.length === 0 || isTooMuch || isSecret || before.causes.length >= MAX_SUSPENSIONS) {
    const refused = cameOf(permitted, carried, { ...came, outcome: 'failed', error: 'input_refused' });
    const text = 'The MCP server wants something of a person that nobody can be asked for here.';
    return failing('input_required', text, { came: refused, detail: `${reply.requests.length} requests` });
  }
  return {
    do: 'suspend',
    error: { type: 'mcp_authentication_failed_error', server, message: askToOpen(server, requests) },
    suspension,
    since: permitted.since,
    came: cameOf(permitted, carried, { ...came, outcome: 'suspended', error: 'input_required' }),
    detail: null,
  };
}

async function failed(
  world: McpProxyWorld,
  permitted: PermittedCall,
  { carried, before, reply: told }: Replied & { readonly reply: McpFailure },
): Promise<Ending> {
  const { failure: reply, found } = redactFailure(told, carried.inUse());
  const { server, identity } = permitted.permit;
  const why = carried.notRenewed();
  const trouble = why === null ? troubleOf(server.name, reply, identity) : noToken(server.name, why, identity);
  const error = trouble === null ? undefined : { ...trouble, server: server.name };
  const said = (outcome: Came['outcome']) => ({
    came: cameOf(permitted, carried, {
      outcome,
      error: reply.kind,
      http_status: reply.http?.status_code ?? null,
      secret_echo: found,
    }),
    detail: why === null ? reply.detail : `${reply.detail}; ${why.detail}`,
  });
  const wanted = [reply.kind, ...reply.scopes.toSorted()].join(' ');
  const mayAsk =
    CONSENT_HELPS.has(reply.kind) && why?.status !== 'unavailable' && !askedInVain(before, wanted, identity.match);
  const url = mayAsk ? await linkFor(world, permitted, reply) : null;
  if (error !== undefined && url !== null) {
    const cause = `${wanted} ${stateOf(identity.match, carried.version())}`;
    const causes = before.causes.includes(cause) ? before.causes : [...before.causes, cause];
    const suspension = { ...before, causes };
    return { do: 'suspend', error: withLink(error, url), suspension, since: permitted.since, ...said('suspended') };
  }
  return failing(reply.kind, textOf(reply, why, identity), said('failed'), error);
}

/**
 * A consent that changed nothing is not asked for again. That there was one shows in the credential: a call that was
 * confirmed without a consent finds it as it was.
 */
function askedInVain({ causes }: Suspension, wanted: string, match: Match | null): boolean {
  const unchanged = `${wanted} ${stateOf(match, null)}`;
  return causes.some((cause) => cause.startsWith(`${wanted} @`) && cause !== unchanged);
}

/** `version`: the one that was used; null for the one that was found. */
function stateOf(match: Match | null, version: number | null): string {
  return match === null ? '@none' : `@${match.stored.credential.id}.${version ?? match.stored.version}`;
}

const CONSENT_HELPS: ReadonlySet<McpFailure['kind']> = new Set(['authentication', 'scope_required']);

function textOf({ kind, message, retryAfterMs, sent }: McpFailure, why: NoBearer | null, holder: Holder): string {
  if (why !== null) return unauthenticated(why, holder);
  const refusal = kind === 'authentication' ? refusedCredential(holder) : null;
  return `${refusal ?? message}${sent ? ` ${MAY_HAVE_HAD_AN_EFFECT}` : ''}${retryAfter(retryAfterMs)}`;
}
