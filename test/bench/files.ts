/** Files into a session and out of it: bytes a second, the first result of a session with files, and units of a turn. */
import { toFile } from '@anthropic-ai/sdk';
import { bash, calling } from '#test/journeys/scripts.ts';
import type { Service } from '#test/journeys/service.ts';
import { sampled, units, UNITS_HEAD, type Row } from './cost-row.ts';
import { textTurn } from './cost.ts';
import { now, spread, table, told } from './figures.ts';
import { watch } from './turns.ts';
import { useOf } from './use.ts';

const BETAS = ['managed-agents-2026-04-01' as const];
const MB = 1_000_000;
const UPLOAD_MB = 4;
const DOWNLOAD_MB = 50;
const TRANSFERS = 10;
const COUNTS = [0, 1, 50, 500];
const SESSIONS = 3;
const TURNS = 10;

type Progress = (text: string) => void;
type Resources = NonNullable<Parameters<Service['client']['beta']['sessions']['create']>[0]['resources']>;

export async function files(service: Service, progress: Progress): Promise<string> {
  const rates = [await uploads(service), await downloads(service)];
  progress('uploads and downloads');
  const firsts = await firstResults(service, progress);
  const costs = await turnCosts(service, progress);
  return [
    table(['Transfer', 'MB a second, p50 (least–most)'], rates),
    '',
    table(['Distinct files of 1 KB', 'creation → created', 'creation → first result of a tool'], firsts),
    '',
    table(UNITS_HEAD, costs.map(units)),
    '',
    'Creation is one request; the first result waits for the start of the sandbox. A turn makes one call.',
  ].join('\n');
}

const rate = (megabytes: number, samples: readonly number[]) => {
  const { p50, min, max } = spread(samples.map((took) => (megabytes * 1000) / took));
  return `${p50.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`;
};

async function timed(times: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const began = now();
    await work();
    samples.push(now() - began);
  }
  return samples;
}

async function uploads({ client }: Service): Promise<readonly string[]> {
  const file = await toFile(Buffer.alloc(UPLOAD_MB * MB, 'x'), 'a.bin');
  const samples = await timed(TRANSFERS, () => client.beta.files.upload({ file, betas: BETAS }));
  return [`uploads of ${UPLOAD_MB} MB in one request`, rate(UPLOAD_MB, samples)];
}

async function downloads(service: Service): Promise<readonly string[]> {
  const { client } = service;
  const session = await sessionWith(service, []);
  await turn(service, session, `head -c ${DOWNLOAD_MB * MB} /dev/urandom > /mnt/session/outputs/a.bin`);
  const [output] = (await client.beta.files.list({ scope_id: session, betas: BETAS })).data;
  if (output === undefined) throw new Error('the session has no output');
  const samples = await timed(TRANSFERS, async () => (await client.beta.files.download(output.id)).arrayBuffer());
  return [`downloads of ${DOWNLOAD_MB} MB`, rate(DOWNLOAD_MB, samples)];
}

async function sessionWith({ client: { beta } }: Service, resources: Resources): Promise<string> {
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
  const environment = await beta.environments.create({ name: 'lab' });
  return (await beta.sessions.create({ agent: agent.id, environment_id: environment.id, resources })).id;
}

async function turn(service: Service, session: string, command: string): Promise<void> {
  service.standIn.script(calling(bash(command)));
  const watcher = await watch(service, session);
  await textTurn(service, session, watcher);
  watcher.close();
}

async function firstResults(service: Service, progress: Progress): Promise<readonly (readonly string[])[]> {
  const ids: string[] = [];
  for (let index = 0; index < Math.max(...COUNTS); index += 1) {
    const file = await toFile(Buffer.from(String(index).padEnd(1000)), `${index}.txt`);
    ids.push((await service.client.beta.files.upload({ file, betas: BETAS })).id);
  }
  const rows: (readonly string[])[] = [];
  for (const count of COUNTS) {
    const resources = ids.slice(0, count).map((file_id) => ({ type: 'file' as const, file_id }));
    const created: number[] = [];
    const samples = await timed(SESSIONS, async () => {
      const began = now();
      const session = await sessionWith(service, resources);
      created.push(now() - began);
      await turn(service, session, 'true');
    });
    rows.push([String(count), told(created), told(samples)]);
    progress(`${count} files`);
  }
  return rows;
}

/** Each turn in a session whose sandbox runs and has everything. */
async function turnCosts(service: Service, progress: Progress): Promise<readonly Row[]> {
  const { beta } = service.client;
  const file = await beta.files.upload({ file: await toFile(Buffer.from('x'), 'a.txt'), betas: BETAS });
  const store = await beta.memoryStores.create({ name: 'Notes', description: '' });
  await beta.memoryStores.memories.create(store.id, { path: '/a.md', content: 'x' });
  const everything: Resources = [
    { type: 'file', file_id: file.id },
    { type: 'memory_store', memory_store_id: store.id },
  ];
  const rows: Row[] = [];
  for (const [what, resources, command] of [
    ['a turn without files and memory', [], 'true'],
    ['a turn with a file and memory that changes nothing', everything, 'true'],
    ['a turn that changes an output', everything, 'date +%N > /mnt/session/outputs/a.txt'],
    ['a turn that changes a memory', everything, 'date +%N > /mnt/memory/notes/a.md'],
  ] as const) {
    const session = await sessionWith(service, [...resources]);
    service.standIn.script(calling(bash(command)));
    const watcher = await watch(service, session);
    await textTurn(service, session, watcher);
    const samples = [];
    for (let index = 0; index < TURNS; index += 1) {
      samples.push(await useOf(service, () => textTurn(service, session, watcher)));
    }
    watcher.close();
    rows.push({ what, samples });
    progress(`${what} (${sampled({ what, samples })})`);
  }
  return rows;
}
