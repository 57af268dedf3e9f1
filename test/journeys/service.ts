/** The whole service on the synthesized template, with a model that follows a script, and the official SDK as client. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { startStandIn, type Script, type StandIn } from '#test/model/stand-in.ts';
import { createContractFetch, type Fetch } from '#test/contract/contract-fetch.ts';
import { follow } from '#test/journeys/follower.ts';
import { borrowRuntime, startRuntimeFor, type Lent } from '#test/journeys/lent-runtime.ts';
import type { WatchedRuntime } from '#test/runtime/watched-runtime.ts';
import { CDK_OUT } from '#test/synth.ts';

export type Event = BetaManagedAgentsSessionEvent;

export interface Service {
  readonly runtime: WatchedRuntime;
  readonly standIn: StandIn;
  /** A `fetch` that checks every response against the contract, as the SDK client of this service does. */
  readonly client: Anthropic;
  readonly fetch: Fetch;
  readonly data: string;
  /** Creates an agent with all sandbox tools, an environment and a session of them. */
  session(): Promise<string>;
  send(session: string, text: string): Promise<void>;
  /** Follows the session until it is idle and returns the events that the stream delivered meanwhile. */
  converse(session: string, text: string): Promise<readonly Event[]>;
  events(session: string): Promise<readonly Event[]>;
  idle(session: string): Promise<void>;
  /** The task folders of the running sandboxes, without those that were there before this service was started. */
  sandboxes(): readonly string[];
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly script?: Script;
  readonly data?: string;
  readonly standIn?: StandIn;
  /** Uses a template with other options. */
  readonly cdkOut?: string;
  /** @default a free port */
  readonly port?: number;
  /** The client is the plain SDK. Measurements need this, because the contract check would be measured too. */
  readonly unchecked?: true;
  /** Starts a runtime that no other file uses. So does every other option but `script`. */
  readonly own?: true;
}

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const { runtime, standIn, data, close } = await runtimeFor(options);
  // A borrowed runtime may still run sandboxes of the test file that had it before.
  const earlier = runningSandboxes(data);
  const contract = createContractFetch();
  const client = new Anthropic({
    baseURL: runtime.baseUrl,
    apiKey: runtime.apiKey,
    ...(options.unchecked === true ? {} : { fetch: contract.fetch }),
  });
  const { sessions } = client.beta;

  async function send(session: string, text: string): Promise<void> {
    await sessions.events.send(session, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
  }

  async function events(session: string): Promise<readonly Event[]> {
    const all: Event[] = [];
    for await (const event of sessions.events.list(session)) all.push(event);
    return all;
  }

  return {
    runtime,
    standIn,
    client,
    fetch: contract.fetch,
    data,
    send,
    events,
    async session() {
      const agent = await client.beta.agents.create({
        name: 'Ada',
        model: 'claude-opus-5',
        system: 'You are Ada.',
        tools: [{ type: 'agent_toolset_20260401' }],
      });
      const environment = await client.beta.environments.create({ name: 'lab' });
      const { id } = await sessions.create({ agent: agent.id, environment_id: environment.id });
      return id;
    },
    async converse(session, text) {
      const follower = await follow({ client, runtime }, session);
      await send(session, text);
      await follower.idle();
      follower.leave();
      return follower.since();
    },
    async idle(session) {
      while ((await sessions.retrieve(session)).status !== 'idle') {
        // Requests are work for the whole service, so they wait until its executions have ended, or for a second.
        const ended = Promise.race([runtime.aws.stepFunctions.idle(), sleep(1000)]);
        await Promise.all([ended, sleep(20)]);
      }
    },
    sandboxes: () => runningSandboxes(data).filter((task) => !earlier.includes(task)),
    async close() {
      await close();
      // Responses that a test did not read, or errors that it expected, are checked too.
      if (contract.breaches.length > 0) throw new Error(`the contract is broken:\n${contract.breaches.join('\n')}`);
    },
  };
}

async function runtimeFor({ script, ...options }: ServiceOptions): Promise<Lent> {
  if (Object.values(options).every((option) => option === undefined)) {
    const lent = await borrowRuntime();
    lent.standIn.restart(script);
    return lent;
  }
  const { cdkOut = CDK_OUT, port } = options;
  const standIn = options.standIn ?? (await startStandIn(script === undefined ? {} : { script }));
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'brainstem-'));
  const runtime = await startRuntimeFor({ cdkOut, data, port, standIn });
  return {
    ...{ runtime, standIn, data },
    async close() {
      await runtime.close();
      if (options.standIn === undefined) await standIn.close();
      if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The task folders that a process runs in: bubblewrap names it as an argument, a plain process works in it. */
function runningSandboxes(data: string): readonly string[] {
  const tasks = `${join(data, 'tasks')}/`;
  const places = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(
      (pid) =>
        `${readOf(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))}\0${readOf(() => readlinkSync(`/proc/${pid}/cwd`))}`,
    );
  const folders = places.flatMap((place) => place.split('\0').filter((part) => part.startsWith(tasks)));
  return [...new Set(folders.map((folder) => folder.slice(tasks.length).split('/')[0] ?? ''))];
}

/** A process may end between the two reads. */
function readOf(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

export const types = (events: readonly Event[]): readonly string[] => events.map((event) => event.type);

export function textOf(event: Event | undefined): string {
  if (event === undefined || !('content' in event)) return '';
  return (event.content ?? []).flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('');
}

export const ofType = <Type extends Event['type']>(events: readonly Event[], type: Type) =>
  events.filter((event): event is Extract<Event, { type: Type }> => event.type === type);

/** The texts of the results of sandbox calls, in the order in which the model wrote the calls. */
export function resultsInOrder(events: readonly Event[]): readonly string[] {
  const results = ofType(events, 'agent.tool_result');
  return ofType(events, 'agent.tool_use').map(({ id }) => textOf(results.find((result) => result.tool_use_id === id)));
}
