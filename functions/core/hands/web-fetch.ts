/**
 * One `web_fetch` call of a session: fetch, shape, append the result. It only reads, so a repeat after a crash asks
 * again and the first result stands. The model reads the failures of other servers; only our own faults are thrown.
 */
import * as z from 'zod';
import type { SessionAgent } from '#contract/agents.ts';
import { MAX_OUTPUT_CHARS } from '#contract/hands.ts';
import type { HandInput } from '#contract/run.ts';
import { TOOLSET_TYPE } from '#contract/tools.ts';
import { toolUseOf } from '#core/hands/tool-use.ts';
import { showContent, type WebContent, type WebFetchError } from '#core/hands/web-content.ts';
import { agentOf } from '#core/model/slice.ts';
import { isUnder } from '#core/outbound/destination.ts';
import type { OutboundAnswer, OutboundFailure } from '#core/ports/outbound.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { change } from '#core/session/change.ts';

export type WebFetchWorld = Pick<Ports, 'log' | 'stamp' | 'outbound' | 'readPage' | 'journal'>;

const WebFetchSettings = z.object({
  allowed_domains: z.array(z.string()).nullish(),
  blocked_domains: z.array(z.string()).nullish(),
  max_content_tokens: z.int().min(1).nullish(),
});
type WebFetchSettings = z.infer<typeof WebFetchSettings>;

const LIMITS = { maxBytes: 10_000_000, totalMs: 30_000, idleMs: 10_000, maxRedirects: 5 };

/** Some sites have a text for machines; the rest is asked for what it would show a browser. */
const HEADERS = {
  accept: 'text/markdown, text/html;q=0.9, application/pdf;q=0.8, */*;q=0.5',
  'accept-language': 'en, *;q=0.5',
  'user-agent': 'Mozilla/5.0 (compatible; Brainstem web_fetch)',
};

/** An estimate for English prose: counting for real would take a model's own tokenizer. */
const CHARS_PER_TOKEN = 4;
/** More than any model's context window holds, and as one event within what the API carries in one response. */
const MAX_CHARS = 1_000_000;

const ERRORS: Readonly<Record<OutboundFailure['failure'], WebFetchError>> = {
  blocked: 'url_not_allowed',
  unreachable: 'url_not_accessible',
  timeout: 'url_not_accessible',
  redirects: 'url_not_accessible',
  unreadable: 'url_not_accessible',
  too_large: 'content_too_large',
};

export async function webFetch(world: WebFetchWorld, input: HandInput): Promise<void> {
  const key: LogKey = { session: input.session, thread: input.thread };
  const began = Date.parse(world.stamp.now());
  const head = await world.log.head(key);
  // An earlier attempt has answered the call, or the session is gone.
  if (head === null || !head.state.calls.some((call) => call.id === input.call.id)) return;
  const [url, agent] = await Promise.all([urlOf(world, key, input), agentNow(world, key, head)]);
  const shown = await show(world, url, webFetchSettings(agent));
  await change(world, key, head, { do: 'result', call: input.call.id, ...resultOf(shown) });
  const durationMs = Date.parse(world.stamp.now()) - began;
  world.journal.line('tool call', {
    session: input.session,
    thread: input.thread,
    call: input.call.id,
    tool: 'web_fetch',
    outcome: shown.status === 'fetched' ? 'fetched' : shown.error,
    is_error: shown.status === 'failed',
    duration_ms: durationMs,
  });
  world.journal.metric('ToolDuration', 'Milliseconds', durationMs);
}

/** The settings of the agent's toolset. */
export function webFetchSettings(agent: SessionAgent): WebFetchSettings {
  const configs = agent.tools.flatMap((tool) => (tool.type === TOOLSET_TYPE ? tool.configs : []));
  return WebFetchSettings.parse(configs.find((config) => config.name === 'web_fetch') ?? {});
}

/** The agent as it is at this head. */
async function agentNow({ log }: WebFetchWorld, key: LogKey, head: Head): Promise<SessionAgent> {
  const entry = await log.entryAt(key, head.state.agentPosition);
  return agentOf(entry === null ? [] : [entry]);
}

/** The URL that the model asked for; null when it is no text. */
async function urlOf(world: WebFetchWorld, key: LogKey, { call }: HandInput): Promise<string | null> {
  const { url } = (await toolUseOf(world, key, call)).input;
  return typeof url === 'string' ? url.trim() : null;
}

async function show(world: WebFetchWorld, url: string | null, settings: WebFetchSettings): Promise<WebContent> {
  if (url === null) return { status: 'failed', error: 'invalid_tool_input', message: 'url: must be a string' };
  const ruleAgainst = (host: string) => ruleOfDomains(host, settings);
  const reply = await world.outbound.fetch({ url, method: 'GET', headers: HEADERS, limits: LIMITS, ruleAgainst });
  if (reply.status === 'failed') return { status: 'failed', error: ERRORS[reply.failure], message: reply.message };
  if (reply.code < 200 || reply.code > 299) return refused(reply);
  const tokens = settings.max_content_tokens ?? null;
  const maxChars = tokens === null ? MAX_OUTPUT_CHARS : Math.min(tokens * CHARS_PER_TOKEN, MAX_CHARS);
  return showContent(reply, { readPage: world.readPage, maxChars });
}

/** Allowed and blocked domains hold for each redirect too, because a redirect must not lead around them. */
function ruleOfDomains(host: string, settings: WebFetchSettings): string | null {
  const among = (domains: readonly string[]) => domains.some((domain) => isUnder(host, domain.toLowerCase()));
  const { allowed_domains: allowed, blocked_domains: blocked } = settings;
  if (allowed != null && !among(allowed)) return 'is not among the domains that this agent may fetch';
  if (blocked != null && among(blocked)) return 'is among the domains that this agent must not fetch';
  return null;
}

function refused({ code, url }: OutboundAnswer): WebContent {
  const error = code === 429 ? 'too_many_requests' : 'url_not_accessible';
  return { status: 'failed', error, message: `${new URL(url).hostname} answered HTTP ${code}` };
}

function resultOf(shown: WebContent) {
  if (shown.status === 'fetched') return { content: shown.content, isError: false };
  const text = `${shown.error}: ${shown.message}`;
  return { content: [{ type: 'text' as const, text }], isError: true };
}
