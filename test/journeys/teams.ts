/** Scripts for the agents of one session. Each agent is known by its system prompt, which says who it is. */
import type { ModelRequest, Reply, ReplyTool } from '#infra/local/model/script.ts';
import type { Script } from '#test/model/stand-in.ts';

export interface Cast {
  readonly script: Script;
  requests(name: string): readonly ModelRequest[];
  /** Resolves with the n-th request of an agent, counted from 1, once it has arrived. */
  asked(name: string, n?: number): Promise<ModelRequest>;
}

/** The advisor's prompt is the service's own. */
export const ADVISOR = 'advisor';
const DONE: Reply = { text: 'Done.' };

/** The n-th request of an agent is answered by its n-th reply, and every later one by `Done.` */
export function cast(roles: Readonly<Record<string, readonly (Reply | Script)[]>>): Cast {
  const made = new Map<string, ModelRequest[]>();
  const waiting = new Map<string, PromiseWithResolvers<ModelRequest>>();
  const requests = (name: string) => made.get(name) ?? [];
  return {
    requests,
    script(request, index) {
      const name = roleOf(request);
      const mine = [...requests(name), request];
      made.set(name, mine);
      waiting.get(`${name} ${mine.length}`)?.resolve(request);
      const reply = roles[name]?.[mine.length - 1] ?? DONE;
      return typeof reply === 'function' ? reply(request, index) : reply;
    },
    async asked(name, n = 1) {
      const arrived = requests(name)[n - 1];
      if (arrived !== undefined) return arrived;
      const waiter = waiting.get(`${name} ${n}`) ?? Promise.withResolvers<ModelRequest>();
      waiting.set(`${name} ${n}`, waiter);
      return waiter.promise;
    },
  };
}

export const roleOf = ({ system }: ModelRequest): string =>
  /You are (\w+)\./.exec(JSON.stringify(system))?.[1] ?? ADVISOR;

export const begin = (agent: string, message: string): ReplyTool => ({
  name: 'send_to_agent',
  input: { agent, message },
});
export const goOn = (thread_id: string, message: string, more: { readonly sandbox?: string } = {}): ReplyTool => ({
  name: 'send_to_agent',
  input: { thread_id, message, ...more },
});
export const wait: ReplyTool = { name: 'wait_for_report', input: {} };
export const startAgent = (name: string, instructions: string, message: string): ReplyTool => ({
  name: 'start_new_agent',
  input: { name, instructions, message },
});
export const list: ReplyTool = { name: 'list_agents', input: {} };
export const readReport = (thread_id: string): ReplyTool => ({ name: 'read_report', input: { thread_id } });
