/**
 * Cases that share a service and run at the same time. The first word of the user's message names the case, which
 * chooses the model's replies.
 */
import type { BetaManagedAgentsUserMessageEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import { afterAll, beforeAll } from 'vitest';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import type { Script } from '#test/model/stand-in.ts';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

export interface Cases {
  readonly script: Script;
  /** The n-th request of a case is answered by its n-th reply, and every later one by an echo. */
  on(name: string, ...replies: readonly (Reply | Script)[]): void;
  requests(name: string): readonly ModelRequest[];
  /** Resolves with the n-th request of a case, counted from 1, once it has arrived. */
  asked(name: string, n: number): Promise<ModelRequest>;
}

interface Case {
  readonly replies: readonly (Reply | Script)[];
  readonly requests: ModelRequest[];
  readonly waiting: Map<number, PromiseWithResolvers<ModelRequest>>;
}

export function createCases(): Cases {
  const cases = new Map<string, Case>();
  const open = (name: string, replies: readonly (Reply | Script)[] = []): Case => {
    const known = cases.get(name) ?? { replies, requests: [], waiting: new Map() };
    cases.set(name, known);
    return known;
  };
  return {
    script(request, index) {
      const { replies, requests, waiting } = open(nameIn(request));
      requests.push(request);
      waiting.get(requests.length)?.resolve(request);
      const reply = replies[requests.length - 1] ?? echo;
      return typeof reply === 'function' ? reply(request, index) : reply;
    },
    on: (name, ...replies) => void open(name, replies),
    requests: (name) => open(name).requests,
    async asked(name, n) {
      const { requests, waiting } = open(name);
      const arrived = requests[n - 1];
      if (arrived !== undefined) return arrived;
      const waiter = waiting.get(n) ?? Promise.withResolvers<ModelRequest>();
      waiting.set(n, waiter);
      return waiter.promise;
    },
  };
}

function nameIn({ messages }: ModelRequest): string {
  const content = messages[0]?.content ?? '';
  const text =
    typeof content === 'string' ? content : content.flatMap((block) => (block.type === 'text' ? [block.text] : []))[0];
  return text?.split(' ')[0] ?? '';
}

export const says = (text: string): BetaManagedAgentsUserMessageEventParams => ({
  type: 'user.message',
  content: [{ type: 'text', text }],
});

/** A model that begins to answer and then waits until the harness cuts the connection. */
export const speechless: Reply = { text: ['never', ' heard'], hold: new Promise(() => undefined), holdBefore: 3 };

export const WEATHER = {
  type: 'custom' as const,
  name: 'weather',
  description: 'Tells the weather of a place.',
  input_schema: { type: 'object' as const, properties: { place: { type: 'string' } } },
};

export interface Roles {
  readonly agent: string;
  readonly environment_id: string;
}

/** Creates an agent and an environment for sessions. */
export async function rolesOf({ client }: Service, tools: AgentCreateParams['tools'] = []): Promise<Roles> {
  const agent = await client.beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
  const environment = await client.beta.environments.create({ name: 'lab' });
  return { agent: agent.id, environment_id: environment.id };
}

/** Ends the service of concurrent cases. The stand-in must not have refused a request in any of them. */
export async function closeUnrefused({ standIn, close }: Service): Promise<void> {
  const refusals = standIn.refusals.map(({ message }) => message);
  await close();
  if (refusals.length > 0) throw new Error(`the provider refused: ${refusals.join('; ')}`);
}

type SentEvents = Parameters<Service['client']['beta']['sessions']['events']['send']>[1]['events'];

/** A service for the concurrent cases of a suite, which the suite's hooks start and end, and an agent with these tools. */
export function shareService(tools: AgentCreateParams['tools']) {
  const cases = createCases();
  let service: Service;
  let roles: Roles;
  beforeAll(async () => {
    service = await startService({ script: cases.script });
    roles = await rolesOf(service, tools);
  });
  afterAll(async () => closeUnrefused(service));
  return {
    cases,
    service: () => service,
    roles: () => roles,
    send: (session: string, ...events: SentEvents) => service.client.beta.sessions.events.send(session, { events }),
  };
}
