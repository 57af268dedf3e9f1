/** Which files of `functions/` run for one text message, from its POST to the end of the stream, as V8 counts it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundle } from '#infra/constructs/bundles.ts';
import { serviceOf } from '#infra/local/lambda/environment.ts';
import { startService, type Service } from '#test/journeys/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MOST_FILES = 55;

/** One script's functions, as V8 tells them. A function's first range is the whole function; offsets are characters. */
interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly {
    readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
  }[];
}

describe('one text message to a session that has answered before', () => {
  let service: Service;
  let folder: string;
  let files: readonly string[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'brainstem-maps-'));
    service = await startService({ script: () => ({ text: 'Hello.' }), own: true });
    const session = await service.session();
    await service.converse(session, 'This message loads the functions.');
    // Its stream's worker is free again, so that the next stream has one whose calls are counted.
    const isFree = () => service.runtime.ended().some((invocation) => invocation.function === 'stream');
    await vi.waitUntil(isFree, { timeout: 60_000 });
    const counter = await countCalls(['api', 'stream', 'harness']);
    await service.converse(session, 'Hello?');
    bundle({ outdir: folder, sourceMaps: true });
    files = (await counter.stop()).flatMap(filesOf);
    files = [...new Set(files)].filter((file) => file.startsWith('functions/')).toSorted();
  });
  afterAll(async () => {
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`runs code of at most ${MOST_FILES} files of functions/`, () => {
    expect(files.length).toBeGreaterThan(MOST_FILES / 2);
    // A failure shows how many files of each folder ran.
    expect(files.length <= MOST_FILES ? [] : perFolder(files)).toEqual([]);
  });

  it('runs the files that the README names on its path', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const path = /^## The path of one message$([^]*?)^## /m.exec(readme)?.[1] ?? '';
    const text = path.slice(path.indexOf('1. '), path.indexOf('6. '));
    const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)].flatMap(([, name = '']) =>
      name.startsWith('infra/') ? [] : [name],
    );
    expect(named.length).toBeGreaterThan(10);
    const isRun = (name: string) => files.some((file) => `/${file}`.endsWith(`/${name}`));
    expect(named.filter((name) => !isRun(name))).toEqual([]);
  });

  /** Source maps of the same bundles tell which file each function of a bundle comes from. */
  function filesOf({ url, functions }: ScriptCoverage): readonly string[] {
    const part = service.runtime.template.functions.find(({ codeDir }) => fileURLToPath(url).startsWith(`${codeDir}/`));
    if (part === undefined) return [];
    const entry = serviceOf(part);
    const bundled = join(folder, 'bundles', entry, 'index.mjs');
    const code = readFileSync(bundled, 'utf8');
    expect(code === readFileSync(fileURLToPath(url), 'utf8'), `the bundle of ${entry} is the one that ran`).toBe(true);
    const map = new SourceMap(JSON.parse(readFileSync(`${bundled}.map`, 'utf8')));
    const lineStarts = [0, ...[...code.matchAll(/\n/g)].map(({ index }) => index + 1)];
    return functions.flatMap(({ ranges: [range] }) => {
      // The outermost function is the module, which ran when it was loaded.
      if (range === undefined || range.count === 0 || range.endOffset === code.length) return [];
      const line = lineStarts.findLastIndex((start) => start <= range.startOffset);
      const origin = map.findEntry(line, range.startOffset - (lineStarts[line] ?? 0));
      return 'originalSource' in origin ? [relative(ROOT, resolve(ROOT, entry, origin.originalSource))] : [];
    });
  }
});

function perFolder(files: readonly string[]): readonly string[] {
  const folders = Map.groupBy(files, dirname);
  return [...folders].map(([folder, { length }]) => `${folder}: ${length}`);
}

/** Counts the calls of every function in the worker threads of these entries, from now on. */
async function countCalls(entries: readonly string[]): Promise<{ stop(): Promise<readonly ScriptCoverage[]> }> {
  const inspector = new Session();
  inspector.connect();
  const workers = new Map<string, string>();
  inspector.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
    if (entries.some((entry) => workerInfo.title.endsWith(` ${entry}`))) workers.set(workerInfo.title, sessionId);
  });
  const answers = new Map<number, (result: unknown) => void>();
  inspector.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    const { id, result } = JSON.parse(params.message) as { id: number; result: unknown };
    answers.get(id)?.(result);
  });
  let asked = 0;
  const ask = async (sessionId: string, method: string, params: object = {}): Promise<unknown> => {
    asked += 1;
    const message = JSON.stringify({ id: asked, method, params });
    const answer = new Promise((answered) => answers.set(asked, answered));
    await inspector.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    return answer;
  };
  await inspector.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  await vi.waitUntil(() => workers.size >= entries.length, { timeout: 60_000 });
  const counted = [...workers.values()];
  for (const worker of counted) {
    await ask(worker, 'Profiler.enable');
    await ask(worker, 'Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }
  return {
    async stop() {
      const taken = counted.map((worker) => ask(worker, 'Profiler.takePreciseCoverage'));
      const results = (await Promise.all(taken)) as readonly { readonly result: readonly ScriptCoverage[] }[];
      inspector.disconnect();
      return results.flatMap(({ result }) => result.filter(({ url }) => url.startsWith('file:')));
    },
  };
}
