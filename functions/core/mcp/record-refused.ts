/**
 * What people refuse, in the audit trail, before the calls end by it. No hand hears of a call that is refused, so whoever
 * takes the answer records it.
 */
import type { Entry, OpenCall, SessionState } from '#contract/entries.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import { callerOf, identify, knownServer, wantedCall, type Caller } from '#core/mcp/caller.ts';
import { recordDenial } from '#core/mcp/audited.ts';
import type { Judged } from '#core/mcp/judge.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { Decision } from '#core/ports/policy.ts';
import type { Append } from '#core/ports/session-log.ts';

export interface RefusalWorld extends Pick<McpProxyWorld, 'log' | 'sessions' | 'credentials' | 'audit' | 'sha256'> {
  readonly enterprise: Enterprise | null;
}

/** A person's word, whatever policy said when they were asked: that stays where the answer was judged. */
const REFUSED: Decision = {
  decision: 'deny',
  code: 'confirmation_denied',
  reason: '',
  policyIds: [],
  policySha256: null,
  mode: 'none',
  would: null,
};

/**
 * Both records of each call of an MCP tool that the entries refuse; nothing is read for other entries. A repeat, or an
 * append that loses its race, may leave them twice. Throws `Fault` `audit_unavailable`: then nothing may be appended.
 */
export async function recordRefused(
  world: RefusalWorld,
  { key, after, entries }: Pick<Append, 'key' | 'after' | 'entries'>,
): Promise<void> {
  const refused = refusedCalls(after.state, entries);
  if (refused.length === 0) return;
  const caller = await callerOf(world, key, after);
  await Promise.all(refused.map((open) => recordOne(world, caller, open)));
}

function refusedCalls({ calls }: SessionState, entries: readonly Entry[]): readonly OpenCall[] {
  const ids = new Set(entries.flatMap((entry) => refusedBy(entry) ?? []));
  return calls.filter(({ id, server }) => server !== null && ids.has(id));
}

function refusedBy(entry: Entry): OpenCall['id'] | null {
  if (!('event' in entry) || entry.event.type !== 'user.tool_confirmation') return null;
  return entry.event.result === 'deny' ? entry.event.tool_use_id : null;
}

async function recordOne(world: RefusalWorld, caller: Caller, open: OpenCall): Promise<void> {
  const call = await wantedCall(world, caller.key, open);
  const judged = { decision: REFUSED, ...(await whoseCall(world, caller, call.server)), permit: null };
  await recordDenial(world, caller, { call, judged, isConfirmed: false });
}

/** As far as it can be told: an agent may have lost the server while the call waited. */
async function whoseCall(world: RefusalWorld, caller: Caller, name: string): Promise<Pick<Judged, 'server' | 'user'>> {
  const declared = caller.agent.mcp_servers.find((server) => server.name === name);
  const server = declared === undefined ? null : knownServer(declared);
  if (server === null) return { server, user: null };
  const identity = await identify(world, caller, server.url);
  return { server, user: identity.status === 'known' ? identity.user : null };
}
