/** What an answer's calls of delegation tools come to, as far as it is found out before the answer is decided. */
import type { SessionAgent, SessionThreadAgent } from '#contract/agents.ts';
import { wholeTextOf } from '#contract/content.ts';
import { eventIn, type Entry, type Holder, type OwnEnvironment } from '#contract/entries.ts';
import { mainHand, ThreadId, type HandKey } from '#contract/ids.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import { isSelf } from '#core/agents/multiagent.ts';
import { overrideModel } from '#core/agents/resolve.ts';
import type { Slice } from '#core/harness/history.ts';
import { agentOf, guidesOf } from '#core/model/slice.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey, ThreadDetails } from '#core/ports/session-log.ts';
import { explain } from '#core/requests/explain.ts';
import type { Delegation, Delegations, Loan } from '#core/session/commands.ts';
import { heldHand } from '#core/session/waiting.ts';
import { callsIn, isComplete } from '#core/session/decide-answer.ts';
import { LISTED_THREADS } from '#core/session/delegate.ts';
import { DELEGATION_INPUTS, type DelegationTool } from '#core/tools/delegation-tools.ts';
import { rosterOf } from '#core/tools/roster.ts';
import type { ToolRules } from '#core/tools/tool-definitions.ts';

type DelegationPorts = Pick<Ports, 'log' | 'stamp' | 'threads'>;

export async function delegationsOf(
  world: DelegationPorts,
  key: LogKey,
  slice: Slice,
  { answer, rules }: { readonly answer: ModelAnswer; readonly rules: ToolRules },
): Promise<Delegations> {
  const calls = callsIn(answer).flatMap(({ key: written, block }) => {
    const rule = rules.get(String(block['name']));
    return rule?.kind === 'delegation' && isComplete(block, answer)
      ? [{ written, tool: rule.tool, input: block['input'] }]
      : [];
  });
  // Threads that begin at one instant are listed by their ids: these are in the order of the calls.
  const threads = calls.map(() => newThread(world)).toSorted();
  const found = await Promise.all(
    calls.map(async ({ written, ...call }, index) => {
      const thread = threads[index] ?? newThread(world);
      return [written, await delegationOf(world, key, slice, { ...call, thread })] as const;
    }),
  );
  return new Map(found);
}

interface DelegatingCall {
  readonly tool: DelegationTool;
  readonly input: unknown;
  /** The thread that the call begins, if it begins one. */
  readonly thread: ThreadId;
}

async function delegationOf(
  world: DelegationPorts,
  key: LogKey,
  slice: Slice,
  { tool, input, thread: begun }: DelegatingCall,
): Promise<Delegation> {
  const { entries, head } = slice;
  const agent = agentOf(entries);
  const begin = (name: string, of: Pick<Begin, 'agent' | 'shown' | 'text' | 'own' | 'loan'>): Delegation => ({
    do: 'begin',
    thread: begun,
    name,
    guide: guideFor(entries, agent, of.agent),
    ...of,
  });
  switch (tool) {
    case 'list_agents':
      return listed(world, key, { agent, slice });
    case 'send_to_agent': {
      const parsed = DELEGATION_INPUTS.send_to_agent.safeParse(input);
      if (!parsed.success) return wrong(explain(parsed.error, 'input'));
      const { agent: name, thread_id: thread, message: text, sandbox } = parsed.data;
      if ((name === undefined) === (thread === undefined)) return wrong('name either `agent` or `thread_id`');
      const lender = await lenderOf(world, key, head, sandbox);
      if (lender === null) return wrong(`sandbox: there is no thread ${sandbox} in this session`);
      if (thread !== undefined) {
        const loan = await followUpLoan(world, { session: key.session, thread }, lender);
        return { do: 'follow up', thread, text, ...(loan && { loan }) };
      }
      const member = rosterOf(agent).agents.find((one) => one.name === name);
      if (member === undefined) return wrong(`agent: there is no agent named ${JSON.stringify(name)}: see list_agents`);
      const named = { ...member.agent, name: member.name };
      const environment = environmentFor(entries, agent, member.agent);
      const holder = { session: key.session, thread: begun };
      const own = environment && { hand: { session: key.session, hand: begun }, holder, environment };
      const loan = loanTo(holder, own?.hand ?? null, lender);
      const hands = { ...(own && { own }), ...(loan && { loan }) };
      return begin(member.name, { agent: { ...named, multiagent: null }, shown: named, text, ...hands });
    }
    case 'start_new_agent': {
      const parsed = DELEGATION_INPUTS.start_new_agent.safeParse(input);
      if (!parsed.success) return wrong(explain(parsed.error, 'input'));
      const { name, instructions: system, message: text } = parsed.data;
      if (name === ADVISOR_NAME) return wrong('name: is reserved');
      const { multiagent: _multiagent, ...own } = agent;
      const defined = { ...own, name, description: null, system };
      const { id: _id, version: _version, ...shown } = defined;
      const shared = await lenderOf(world, key, head, undefined);
      const loan = loanTo({ session: key.session, thread: begun }, null, shared);
      const inline = { ...shown, type: 'inline' as const };
      return begin(name, { agent: { ...defined, multiagent: null }, shown: inline, text, ...(loan && { loan }) });
    }
    case 'wait_for_report':
      return { do: 'wait' };
    case 'read_report': {
      const parsed = DELEGATION_INPUTS.read_report.safeParse(input);
      if (!parsed.success) return wrong(explain(parsed.error, 'input'));
      return report(world, { session: key.session, thread: parsed.data.thread_id });
    }
    case 'ask_advisor': {
      const parsed = DELEGATION_INPUTS.ask_advisor.safeParse(input);
      if (!parsed.success) return wrong(explain(parsed.error, 'input'));
      const { advisor } = rosterOf(agent);
      if (advisor === null) return wrong('this agent has no advisor');
      return begin(ADVISOR_NAME, {
        agent: advisorOf(agent, advisor.model),
        shown: { type: 'advisor', model: advisor.model },
        text: parsed.data.question,
      });
    }
    default:
      return tool satisfies never;
  }
}

/**
 * Of the session's memory, and of the agent's own skills. A copy of the session's agent, or an agent that it defines, has the
 * skills of the session's agent.
 */
function guideFor(entries: readonly Entry[], own: SessionAgent, { id, version }: SessionAgent): string | null {
  const { guide, guides } = guidesOf(entries);
  return (id === own.id && version === own.version ? guide : guides?.[id]) ?? null;
}

/** A copy of the session's agent works in the sandbox of the thread that gives it work. */
function environmentFor(
  entries: readonly Entry[],
  own: SessionAgent,
  listed: SessionThreadAgent,
): OwnEnvironment | undefined {
  return isSelf(listed, own) ? undefined : guidesOf(entries).environments?.[listed.id];
}

interface Lender {
  readonly holder: Holder;
  readonly hand: HandKey;
  /** Asked for, also for a thread that has a hand of its own. */
  readonly isNamed: boolean;
}

/** The thread in whose sandbox the work is to be done: the one that gives the work, or the one that it names. Null: no such thread. */
async function lenderOf(
  { log }: Pick<Ports, 'log'>,
  { session, thread }: LogKey,
  { state }: Slice['head'],
  sandbox: 'mine' | ThreadId | undefined,
): Promise<Lender | null> {
  const own = { holder: { session, thread }, hand: heldHand(state) ?? mainHand(session) };
  if (sandbox === undefined || sandbox === 'mine') return { ...own, isNamed: sandbox === 'mine' };
  const named = await log.head({ session, thread: sandbox });
  if (named === null || named.state.parent === undefined) return null;
  const hand = named.state.hands?.own ?? mainHand(session);
  return { holder: { session, thread: sandbox }, hand, isNamed: true };
}

/** Null when the thread works there anyway: in its own hand, or in the main one of its session. */
function loanTo(holder: Holder, own: HandKey | null, lender: Lender | null): Loan | null {
  if (lender === null || (own !== null && !lender.isNamed)) return null;
  const { session, hand } = own ?? mainHand(holder.session);
  if (lender.hand.session === session && lender.hand.hand === hand) return null;
  return { hand: lender.hand, holder, lender: lender.holder };
}

/** A thread is read only when there is a hand to pass. */
async function followUpLoan(world: Pick<Ports, 'log'>, key: LogKey, lender: Lender): Promise<Loan | null> {
  if (loanTo(key, null, lender) === null && !lender.isNamed) return null;
  const head = await world.log.head(key);
  return head === null ? null : loanTo(key, head.state.hands?.own ?? null, lender);
}

type Begin = Extract<Delegation, { do: 'begin' }>;

/** A random id: the same thread is not begun twice, because its log begins only once. */
function newThread({ stamp }: Pick<Ports, 'stamp'>): ThreadId {
  return ThreadId.parse(stamp.eventId().replace(/^sevt_/, 'sthr_'));
}

const ADVICE =
  'You advise another agent, which asks you one question. Answer it as well as you can from what it tells you: say what you would do and why, what to check first, and what you are not sure of. You cannot ask back and have no tools.';

/** Its model has its own settings, but runs where the agent's does. */
function advisorOf(agent: SessionAgent, model: string): SessionAgent {
  return {
    ...agent,
    name: ADVISOR_NAME,
    description: null,
    system: ADVICE,
    model: overrideModel({ id: model, inference_geo: agent.model.inference_geo }),
    tools: [],
    mcp_servers: [],
    skills: [],
    multiagent: null,
  };
}

async function listed(
  { threads }: Pick<Ports, 'threads'>,
  { session }: LogKey,
  { agent, slice: { entries, head } }: { readonly agent: SessionAgent; readonly slice: Slice },
): Promise<Delegation> {
  const { agents, inlineAgents } = rosterOf(agent);
  const { rows } = await threads.list({
    workspace: head.state.workspace,
    session,
    statuses: null,
    order: 'desc',
    from: null,
    to: null,
    includeArchived: false,
    beyond: null,
    direction: 'next',
    limit: LISTED_THREADS,
  });
  const lines = [
    'Agents that you can begin:',
    ...agents.map(({ name, description, agent: listed }) => {
      const isApart = environmentFor(entries, agent, listed) !== undefined;
      const where = isApart ? ' (has a sandbox of its own)' : '';
      return `- ${JSON.stringify(name)}${where}${description === null ? '' : `: ${description}`}`;
    }),
    ...(inlineAgents ? ['- any other, which you define with start_new_agent'] : []),
  ];
  const known = rows.map(({ item: { details, status } }) => ({
    thread: details.id,
    name: nameOf(details.agent),
    status,
  }));
  return { do: 'list', agents: lines.join('\n'), threads: known };
}

async function report({ log }: Pick<Ports, 'log'>, key: LogKey): Promise<Delegation> {
  const head = await log.head(key);
  if (head === null || head.state.parent === undefined)
    return wrong(`thread_id: there is no thread ${key.thread} in this session`);
  const { status, agentName, said } = head.state;
  const last = said === undefined ? null : eventIn(await log.entryAt(key, said));
  const text = last?.type === 'agent.message' ? wholeTextOf(last.content) : null;
  return told(`${agentName} is ${status}. ${text === null ? 'It has said nothing yet.' : `It last said:\n\n${text}`}`);
}

function nameOf(agent: ThreadDetails['agent']): string {
  return agent.type === 'advisor' ? ADVISOR_NAME : agent.name;
}

function told(text: string): Delegation {
  return { do: 'tell', text, isError: false };
}

function wrong(text: string): Delegation {
  return { do: 'tell', text, isError: true };
}
