/**
 * The whole service is killed while the children of sessions work. All threads come to rest, each delegation has one report,
 * which its session's agent reads once, and no command runs twice.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRequest } from '#infra/local/model/script.ts';
import { watchMarks } from '#test/faults/marks.ts';
import { startProcess, type RuntimeProcess } from '#test/faults/runtime-process.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { begin, roleOf } from '#test/journeys/teams.ts';
import { startStandIn, type Script, type StandIn } from '#test/model/stand-in.ts';
import { propertyRuns } from '#test/property-runs.ts';

const SESSIONS = propertyRuns(8);
const KILLS = propertyRuns(3);
const TEAM = ['Ada', 'Bob', 'Cleo'];
const MARKED = 'marked';

/** `case3` and the like, which the first message names. */
const caseOf = ({ messages }: ModelRequest): string => /case\d+/.exec(JSON.stringify(messages[0]))?.[0] ?? '';

/** Makes calls until one has told its mark; each call has a mark of its own. */
const working: Script = (request) => {
  const name = roleOf(request);
  const results = request.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter(({ type }) => type === 'tool_result'),
  );
  if (JSON.stringify(results).includes(MARKED)) return { text: `${name} has marked.` };
  const mark = `mark-${caseOf(request)}-${name}-${results.length}`;
  return { tools: [bash(`sleep 0.5; echo x >> ${mark}; sleep 1; echo ${MARKED}`)] };
};

const leading: Script = (request) => {
  const said = JSON.stringify(request.messages);
  if (request.messages.length > 1) {
    return { text: TEAM.every((name) => said.includes(`${name} has marked.`)) ? 'All have reported.' : 'I wait.' };
  }
  return { text: 'I delegate.', tools: TEAM.map((name) => begin(name, `Mark for ${caseOf(request)}.`)) };
};

const script: Script = (request, index) => (roleOf(request) === 'Lead' ? leading : working)(request, index);

describe(`the whole service, killed ${KILLS} times while ${SESSIONS} sessions have three children at work,`, () => {
  let standIn: StandIn;
  let data: string;
  let runtime: RuntimeProcess | null = null;
  beforeAll(async () => {
    standIn = await startStandIn({ script });
    data = mkdtempSync(join(tmpdir(), 'brainstem-'));
  });
  afterAll(async () => {
    await runtime?.kill();
    await standIn.close();
    rmSync(data, { recursive: true, force: true });
  });

  const sessions = () =>
    new Anthropic({ baseURL: runtime?.baseUrl ?? null, apiKey: runtime?.apiKey ?? null }).beta.sessions;

  async function start(): Promise<readonly string[]> {
    const { beta } = new Anthropic({ baseURL: runtime?.baseUrl ?? null, apiKey: runtime?.apiKey ?? null });
    const agent = async (name: string, more: Partial<Pick<Anthropic.Beta.AgentCreateParams, 'multiagent'>> = {}) => {
      const tools = [{ type: 'agent_toolset_20260401' as const }];
      return (await beta.agents.create({ name, model: 'claude-opus-5', system: `You are ${name}.`, tools, ...more }))
        .id;
    };
    const agents = await Promise.all(TEAM.map((name) => agent(name)));
    const roles = {
      agent: await agent('Lead', { multiagent: { type: 'coordinator', agents } }),
      environment_id: (await beta.environments.create({ name: 'lab' })).id,
    };
    const ids: string[] = [];
    for (let number = 1; number <= SESSIONS; number += 1) {
      const content = [{ type: 'text' as const, text: `case${number}` }];
      ids.push((await beta.sessions.create({ ...roles, initial_events: [{ type: 'user.message', content }] })).id);
    }
    return ids;
  }

  async function listed(session: string, thread: string): Promise<readonly Event[]> {
    const events: Event[] = [];
    for await (const event of sessions().threads.events.list(thread, { session_id: session })) events.push(event);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const starts = ofType(events, 'span.model_request_start').map(({ id }) => id);
    const ends = ofType(events, 'span.model_request_end').map(({ model_request_start_id }) => model_request_start_id);
    expect(ends.toSorted()).toEqual(starts.toSorted());
    return events;
  }

  it('comes to rest with one report of each child, and no command ran twice', { timeout: 600_000 }, async () => {
    runtime = await startProcess(data, standIn.url);
    const marks = watchMarks(data);
    const ids = await start();
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const due = Math.ceil((SESSIONS * TEAM.length * kill) / (KILLS + 1));
      await expect.poll(marks.size, { timeout: 120_000, interval: 50 }).toBeGreaterThanOrEqual(due);
      await runtime.kill();
      marks.look();
      runtime = await startProcess(data, standIn.url);
    }
    for (const id of ids) while ((await sessions().retrieve(id)).status !== 'idle') await sleep(100);
    marks.look();
    marks.stop();
    for (const id of ids) {
      const { data: threads } = await sessions().threads.list(id);
      expect(threads.map(({ status }) => status)).toEqual(['idle', 'idle', 'idle', 'idle']);
      const [primary = '', ...children] = threads.map((thread) => thread.id);
      const events = await listed(id, primary);
      const reports = ofType(events, 'agent.thread_message_received');
      expect(reports.map((report) => report.from_session_thread_id).toSorted()).toEqual(children.toSorted());
      expect(reports.map(textOf).toSorted()).toEqual(TEAM.map((name) => `${name} has marked.`));
      expect(ofType(events, 'agent.thread_message_sent')).toHaveLength(TEAM.length);
      expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('All have reported.');
      expect(ofType(events, 'session.status_idle').map((idle) => idle.stop_reason.type)).toEqual(['end_turn']);
      for (const child of children) {
        const own = await listed(id, child);
        const uses = ofType(own, 'agent.tool_use');
        const results = new Map(ofType(own, 'agent.tool_result').map((result) => [result.tool_use_id, textOf(result)]));
        expect(ofType(own, 'agent.tool_result')).toHaveLength(uses.length);
        for (const use of uses) {
          const mark = /mark-\w+-\w+-\d+/.exec(JSON.stringify(use.input))?.[0] ?? '';
          const ran = marks.of(mark).length;
          expect(ran).toBeLessThanOrEqual(1);
          if (results.get(use.id)?.includes(MARKED) === true) expect(ran).toBe(1);
        }
      }
      // The agent has read each report once.
      const last = standIn.requests.findLast(({ request }) => {
        return roleOf(request) === 'Lead' && JSON.stringify(request.messages).includes(children[0] ?? '');
      });
      const said = JSON.stringify(last?.request.messages);
      for (const name of TEAM) expect(said.split(`${name} has marked.`)).toHaveLength(2);
    }
    expect(standIn.refusals).toEqual([]);
  });
});
