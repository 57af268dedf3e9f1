/**
 * Many sessions use sandboxes while the whole service is killed, three times with `FULL=1`. All come to rest, no command
 * is lost or runs twice, and each sandbox that is lost is told to the model. `SESSIONS=120` takes about five minutes and
 * needs room for as many sandboxes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRequest } from '#infra/local/model/script.ts';
import { roomForTasks } from '#infra/local/tasks/room-for-tasks.ts';
import { watchMarks } from '#test/faults/marks.ts';
import { startProcess, type RuntimeProcess } from '#test/faults/runtime-process.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { startStandIn, type Script, type StandIn } from '#test/model/stand-in.ts';
import { propertyRuns } from '#test/property-runs.ts';

const SESSIONS = Number(process.env['SESSIONS'] ?? propertyRuns(32));
/** Each kill starts the service and all its functions anew, so a plain run kills it once. */
const KILLS = propertyRuns(3);
const AT_REST_SECONDS = 120;
/** A session whose sandboxes do not start ends after so many calls. */
const MAX_MARKS = 12;

const MARKED = 'marked';
const TELLS_LOSS = /sandbox stopped|new sandbox/;
const TELLS_NO_EFFECT = /had no effect/;

/** Each call has a mark of its own, so that one that ran twice shows. After a mark the agent looks for it. */
const markThenLook: Script = (request) => {
  const name = nameOf(request);
  const results = resultsOf(request);
  const last = results.at(-1);
  const calls = results.length;
  const look = bash(`sleep 0.5; cat mark-${name}-* | wc -l`);
  if (last?.includes(MARKED)) return { tools: [look] };
  if (results.some((text) => text.includes(MARKED)) || calls >= MAX_MARKS) return { text: `${name} done` };
  return { tools: [bash(`sleep 0.5; echo x >> mark-${name}-${calls}; echo ${MARKED}`)] };
};

const nameOf = (request: ModelRequest): string => /go (\w+)/.exec(JSON.stringify(request.messages))?.[1] ?? '';

function resultsOf(request: ModelRequest): readonly string[] {
  return request.messages.flatMap(({ content }) =>
    typeof content === 'string'
      ? []
      : content.flatMap((block) => (block.type === 'tool_result' ? [JSON.stringify(block.content)] : [])),
  );
}

describe(`the whole service, killed (${KILLS}) under ${SESSIONS} sessions with sandboxes,`, () => {
  let standIn: StandIn;
  let data: string;
  let runtime: RuntimeProcess | null = null;
  beforeAll(async () => {
    standIn = await startStandIn({ script: markThenLook });
    data = mkdtempSync(join(tmpdir(), 'brainstem-'));
  });
  afterAll(async () => {
    await runtime?.kill();
    await standIn.close();
    rmSync(data, { recursive: true, force: true });
  });

  const client = (): Anthropic => new Anthropic({ baseURL: runtime?.baseUrl ?? null, apiKey: runtime?.apiKey ?? null });

  async function begin(): Promise<ReadonlyMap<string, string>> {
    const agent = await client().beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    const environment = await client().beta.environments.create({ name: 'lab' });
    const sessions = new Map<string, string>();
    const cases = Array.from({ length: SESSIONS }).keys();
    let names = 0;
    /**
     * A creation is not sent again: where only its answer was lost, that makes two sessions of one name, and both make
     * the same marks. Another one has a name of its own.
     */
    async function create(): Promise<void> {
      const name = `case${(names += 1)}`;
      const content = [{ type: 'text' as const, text: `go ${name}` }];
      const asked = {
        agent: agent.id,
        environment_id: environment.id,
        initial_events: [{ type: 'user.message' as const, content }],
      };
      try {
        sessions.set((await client().beta.sessions.create(asked, { maxRetries: 0 })).id, name);
      } catch (error) {
        if (!(error instanceof Anthropic.APIError) || error.status < 500) throw error;
        await create();
      }
    }
    /** Some at a time: what comes to rest is the subject, and not how many creations this machine takes at once. */
    async function createEach(): Promise<void> {
      for (const _ of cases) await create();
    }
    await Promise.all(Array.from({ length: 4 }, createEach));
    return sessions;
  }

  /** Kills and starts the service, when some calls were made since the last time. */
  async function killAfter(marks: number, see: ReturnType<typeof watchMarks>): Promise<void> {
    await expect.poll(see.size, { timeout: 120_000, interval: 100 }).toBeGreaterThanOrEqual(marks);
    await runtime?.kill();
    see.look();
    runtime = await startProcess(data, standIn.url);
  }

  async function atRest(sessions: readonly string[]): Promise<void> {
    for (const id of sessions) {
      while ((await client().beta.sessions.retrieve(id)).status !== 'idle') await sleep(250);
    }
  }

  async function eventsOf(id: string): Promise<readonly Event[]> {
    const events: Event[] = [];
    for await (const event of client().beta.sessions.events.list(id, { limit: 1000 })) events.push(event);
    return events;
  }

  it('comes to rest, with nothing lost or doubled, and tells each lost sandbox', { timeout: 900_000 }, async () => {
    runtime = await startProcess(data, standIn.url);
    const marks = watchMarks(data);
    const sessions = await begin();
    for (let kill = 1; kill <= KILLS; kill += 1) await killAfter(Math.ceil((SESSIONS * kill) / (KILLS + 1)), marks);
    const started = performance.now();
    await atRest([...sessions.keys()]);
    const seconds = (performance.now() - started) / 1000;
    marks.look();
    marks.stop();

    const all = { calls: 0, lost: 0, notStarted: 0 };
    for (const [id, name] of sessions) {
      const events = await eventsOf(id);
      expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
      const results = new Map(ofType(events, 'agent.tool_result').map((event) => [event.tool_use_id, event]));
      const uses = ofType(events, 'agent.tool_use');
      expect(results.size).toBe(uses.length);
      expect(ofType(events, 'agent.tool_result')).toHaveLength(uses.length);
      for (const use of uses) {
        const text = textOf(results.get(use.id));
        all.calls += 1;
        if (TELLS_LOSS.test(text)) all.lost += 1;
        if (TELLS_NO_EFFECT.test(text)) all.notStarted += 1;
        const mark = /mark-\w+-\d+/.exec(JSON.stringify(use.input))?.[0];
        const ran = mark === undefined ? null : marks.of(mark);
        const mayHaveRun = text.includes(MARKED) ? [1] : TELLS_NO_EFFECT.test(text) ? [0] : [0, 1];
        if (ran !== null) expect(mayHaveRun, `${text}: ran in ${ran.join(', ')}`).toContain(ran.length);
        // A look that does not find the mark is in a later sandbox, and says so.
        if (mark === undefined && text.trim() !== '1') expect(text).toMatch(TELLS_LOSS);
      }
      expect(textOf(ofType(events, 'agent.message').at(-1))).toBe(`${name} done`);
      expect(ofType(events, 'session.status_idle').map((idle) => idle.stop_reason.type)).toEqual(['end_turn']);
      const marked = [...results.values()].filter((result) => textOf(result).includes(MARKED));
      if (roomForTasks() > SESSIONS) expect(marked).toHaveLength(1);
    }
    expect(standIn.refusals).toEqual([]);
    process.stderr.write(
      `${SESSIONS} sessions, ${KILLS} kills: at rest ${seconds.toFixed(1)} s after the last start; ` +
        `${all.calls} calls, ${all.lost} told of a lost sandbox, ${all.notStarted} not made\n`,
    );
    expect(seconds).toBeLessThan(AT_REST_SECONDS);
  });
});
