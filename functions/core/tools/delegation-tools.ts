/** The tools with which an agent gives work to other agents. The harness carries out their calls itself. */
import * as z from 'zod';
import type { SessionAgent } from '#contract/agents.ts';
import { ThreadId } from '#contract/ids.ts';
import { rosterOf } from '#core/tools/roster.ts';
import type { ToolDefinition } from '#core/ports/model.ts';

const MAX_MESSAGE_CHARS = 100_000;
/** Half a surrogate pair, which a model may stream, would reach clients in events. */
const Text = z
  .string()
  .trim()
  .transform((text) => text.toWellFormed());
const Message = Text.pipe(z.string().min(1).max(MAX_MESSAGE_CHARS));

/** What the model may write for each tool. */
export const DELEGATION_INPUTS = {
  list_agents: z.object({}),
  send_to_agent: z.object({
    agent: z.string().min(1).optional(),
    thread_id: ThreadId.optional(),
    message: Message,
    sandbox: z.union([z.literal('mine'), ThreadId]).optional(),
  }),
  start_new_agent: z.object({
    name: Text.pipe(z.string().min(1).max(100)),
    instructions: Message,
    message: Message,
  }),
  wait_for_report: z.object({}),
  read_report: z.object({ thread_id: ThreadId }),
  ask_advisor: z.object({ question: Message }),
} as const;
export type DelegationTool = keyof typeof DELEGATION_INPUTS;

const TEXT = (description: string) => ({ type: 'string', description }) as const;
const MESSAGE = TEXT(
  'What the agent is to do, with all that it needs to know: it sees nothing of your conversation. Say what its report must hold.',
);
const THREAD = TEXT('The id of a thread, as list_agents and reports tell it.');

const GIVE_WORK =
  'Give work to an agent. Name `agent` to begin a new thread, or `thread_id` to go on in one with all that was said in it: exactly one of the two.';
const REPORTS = 'The report comes to you as a message; you need not wait for it before you go on.';
const SEND_PROPERTIES = {
  agent: TEXT('The name of an agent, from list_agents.'),
  thread_id: THREAD,
  message: MESSAGE,
} as const;

/** Of `send_to_agent`, where an agent brings an environment: a team that shares one sandbox reads nothing of this. */
const SEND_WITH_SANDBOX: Omit<ToolDefinition, 'name'> = {
  description: `${GIVE_WORK} Agents work at the same time as you and as each other. They share your sandbox and its files; an agent that list_agents shows with a sandbox of its own sees none of your files there. ${REPORTS}`,
  input_schema: {
    type: 'object',
    properties: {
      ...SEND_PROPERTIES,
      sandbox: TEXT(
        'Lends the agent a sandbox until it reports: "mine", or the id of the thread whose sandbox it is. Leave it out for its own one.',
      ),
    },
    required: ['message'],
  },
};

const DEFINITIONS: Readonly<Record<DelegationTool, Omit<ToolDefinition, 'name'>>> = {
  list_agents: {
    description:
      'List the agents that you can give work to, and the threads in which agents work or have worked for you.',
    input_schema: { type: 'object', properties: {} },
  },
  send_to_agent: {
    description: `${GIVE_WORK} Agents work at the same time as you and as each other, in the same sandbox with the same files. ${REPORTS}`,
    input_schema: { type: 'object', properties: SEND_PROPERTIES, required: ['message'] },
  },
  start_new_agent: {
    description:
      'Define a new agent and give it work, when no listed agent fits. It has your model, your tools and your skills, and the instructions that you write. It works and reports as with send_to_agent.',
    input_schema: {
      type: 'object',
      properties: {
        name: TEXT('A short name for the agent.'),
        instructions: TEXT('Who the agent is and how it works: its system prompt.'),
        message: MESSAGE,
      },
      required: ['name', 'instructions', 'message'],
    },
  },
  wait_for_report: {
    description: 'Do nothing until the next report comes, when you have nothing else to do meanwhile.',
    input_schema: { type: 'object', properties: {} },
  },
  read_report: {
    description: 'Read the last report of a thread again, and whether its agent is at work.',
    input_schema: { type: 'object', properties: { thread_id: THREAD }, required: ['thread_id'] },
  },
  ask_advisor: {
    description:
      'Ask a more capable model for advice on a hard question. It sees only your question and has no tools. Its answer comes as a message.',
    input_schema: {
      type: 'object',
      properties: { question: TEXT('The question, with all that the advisor needs to know.') },
      required: ['question'],
    },
  },
};

/** Those that the agent's configuration allows, in the order in which the model reads them. */
export function delegationTools(agent: SessionAgent): readonly DelegationTool[] {
  const { agents, advisor, inlineAgents } = rosterOf(agent);
  const isTeam = agents.length > 0 || inlineAgents;
  return [
    ...(isTeam ? (['list_agents', 'send_to_agent'] as const) : []),
    ...(inlineAgents ? (['start_new_agent'] as const) : []),
    ...(isTeam ? (['wait_for_report', 'read_report'] as const) : []),
    ...(advisor === null ? [] : (['ask_advisor'] as const)),
  ];
}

export interface DelegationTeam {
  /** Whether an agent of the roster brings an environment of its own. */
  readonly ownSandboxes: boolean;
}

export function delegationDefinition(name: DelegationTool, { ownSandboxes }: DelegationTeam): ToolDefinition {
  return { name, ...(name === 'send_to_agent' && ownSandboxes ? SEND_WITH_SANDBOX : DEFINITIONS[name]) };
}
