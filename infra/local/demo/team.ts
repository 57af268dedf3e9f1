/** `npm run demo -- --team`: three agents on one task, each with a lane of its own on the terminal. */
import type { Anthropic } from '@anthropic-ai/sdk';
import { TEAM_SUM } from '../model/team-script.ts';
import { clean, clip, seconds, type Terminal } from '../terminal.ts';
import { describeEvent, textOf } from './event-line.ts';
import type { Arrival, SessionEvent } from './session.ts';

const MESSAGE =
  'Add up the prime numbers below 1,000. Give each of your two agents one half of the numbers, at the same time, and add ' +
  'what they report. They can run programs. Tell me the sum.';

interface TeamArrival extends Arrival {
  /** Whose thread it is: 0 is the agent that leads. */
  readonly lane: number;
}

const NAMES = ['Ada', 'Bo', 'Cy'] as const;
const COLORS = ['cyan', 'yellow', 'magenta'] as const;

/** Shows the session until it is idle. @returns a sentence about what went wrong, or null */
export async function showTeam(
  client: Anthropic,
  terminal: Terminal,
  options: { readonly model: string; readonly signal: AbortSignal },
): Promise<string | null> {
  const { line, paint, columns, wait, done } = terminal;
  const width = Math.max(Math.floor((columns - 12) / NAMES.length) - 3, 16);
  const row = (time: string, texts: readonly string[]) => {
    const cells = texts.map((text, lane) => paint(COLORS[lane] ?? 'white', clip(text, width).padEnd(width)));
    line(`${paint('dim', time.padStart(8))}  ${cells.join(paint('dim', ' │ '))}`);
  };
  line('');
  row('', [`${NAMES[0]} leads`, NAMES[1], NAMES[2]]);
  const seen: TeamArrival[] = [];
  for await (const arrival of followTeam(client, options)) {
    const { lane, atMs } = arrival;
    const shown = describeEvent(arrival, seen);
    if (shown !== null)
      row(
        seconds(atMs),
        NAMES.map((_, at) => (at === lane ? `${shown[1]} ${shown[2]}`.trim() : '')),
      );
    wait('the team is at work');
    seen.push(arrival);
  }
  done();
  const answer = seen.findLast(({ lane, event }) => lane === 0 && event.type === 'agent.message')?.event;
  const text = answer !== undefined && 'content' in answer ? textOf(answer) : '';
  line(`\n${clean(text)}\n`);
  return text.replaceAll(/\D/g, '').includes(TEAM_SUM) ? null : `The answer does not contain the sum ${TEAM_SUM}.`;
}

/** The events of all three threads as they arrive, until the session is idle. */
async function* followTeam(
  client: Anthropic,
  { model, signal }: { readonly model: string; readonly signal: AbortSignal },
): AsyncGenerator<TeamArrival> {
  const session = await createTeam(client, model);
  const { events, threads } = client.beta.sessions;
  const stream = await events.stream(session, {}, { signal });
  const sentAt = performance.now();
  const lanes = new Map<string, number>();
  const arrivals = new ReadableStream<TeamArrival>({
    async start(controller) {
      const tell = (event: SessionEvent, lane: number) => {
        controller.enqueue({ event, lane, atMs: performance.now() - sentAt });
      };
      const watch = async (thread: string, lane: number) => {
        // The stream is live only: what the thread has said before it opens is listed, and each event is told once.
        const told = new Set<string>();
        const tellOnce = (event: SessionEvent) => {
          if (!('id' in event) || told.has(event.id)) return;
          told.add(event.id);
          tell(event, lane);
        };
        const opening = threads.events.stream(thread, { session_id: session }, { signal });
        for (const past of [Promise.resolve(), opening]) {
          await past;
          for await (const event of threads.events.list(thread, { session_id: session }, { signal })) tellOnce(event);
        }
        for await (const event of await opening) tellOnce(event);
      };
      try {
        for await (const event of stream) {
          const child = threadOf(event);
          if (event.type === 'session.thread_created') {
            lanes.set(event.session_thread_id, lanes.size + 1);
            void watch(event.session_thread_id, lanes.size).catch(() => undefined);
          }
          // What the session's stream copies of a child's is in the child's lane already.
          if (child === null || !lanes.has(child) || event.type === 'session.thread_created') tell(event, 0);
          if (event.type === 'session.status_idle' || event.type === 'session.status_terminated') break;
        }
        controller.close();
      } catch (error) {
        controller.error(error);
      }
    },
  });
  await events.send(session, { events: [{ type: 'user.message', content: [{ type: 'text', text: MESSAGE }] }] });
  for await (const arrival of arrivals) yield arrival;
  signal.throwIfAborted();
}

function threadOf(event: SessionEvent): string | null {
  return 'session_thread_id' in event ? (event.session_thread_id ?? null) : null;
}

async function createTeam(client: Anthropic, model: string): Promise<string> {
  const { agents, environments, sessions } = client.beta;
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const system = 'You work in a Linux sandbox without network. Keep your answers short.';
  const members = await Promise.all(
    NAMES.slice(1).map((name) => agents.create({ name, model, system, tools, description: 'Runs programs.' })),
  );
  const roster = members.map(({ id }) => ({ type: 'agent' as const, id }));
  const multiagent = { type: 'coordinator' as const, agents: roster };
  const lead = await agents.create({ name: NAMES[0], model, system, multiagent });
  const environment = await environments.create({ name: 'demo' });
  return (await sessions.create({ agent: lead.id, environment_id: environment.id })).id;
}
