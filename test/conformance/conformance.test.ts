/** The protocol's own test suite, with this service's client and consent flow as the client under test. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { Context, playScenario } from '#test/conformance/scenario.ts';
import { sample } from '#test/property-runs.ts';
import { bundleOf } from '#test/run-cache.ts';

const ROOT = join(import.meta.dirname, '../..');
const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance');
const BASELINE = join(import.meta.dirname, 'baseline.yml');

/** The names in the list `client:` of one of the suite's files. */
function clientList(file: string): readonly string[] {
  const [, section = ''] = /^client:\n((?:[ #].*\n|\n)*)/m.exec(readFileSync(file, 'utf8')) ?? [];
  return [...section.matchAll(/^\s+- (\S+)$/gm)].map(([, name = '']) => name);
}

interface Ran {
  readonly code: number;
  readonly output: string;
  readonly passed: readonly string[];
  readonly failed: readonly string[];
}

const Asked = z.object({ url: z.string(), context: Context });

/** Plays the scenarios that the runner's programs ask for. */
async function startPlayer() {
  const server = createServer(async (request, response) => {
    try {
      const { url, context } = Asked.parse(await json(request));
      await playScenario(url, context);
      response.end();
    } catch (error) {
      response.writeHead(500).end(inspect(error));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => void server.close() };
}

async function run(revision: string, player: string): Promise<Ran> {
  const client = `${process.execPath} ${bundleOf(join(import.meta.dirname, 'client.ts'))}`;
  const options = ['--requirements', revision, '--expected-failures', BASELINE, '--timeout', '60000'];
  const { promise, resolve } = Promise.withResolvers<Pick<Ran, 'code' | 'output'>>();
  const child = execFile(
    process.execPath,
    [join(SUITE, 'dist/index.js'), 'client', '--command', client, ...options],
    { cwd: ROOT, maxBuffer: 100_000_000, env: { ...process.env, CONFORMANCE_TEST: player } },
    (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
  );
  const { code, output } = await promise;
  const told = (mark: string) =>
    [...output.matchAll(new RegExp(`^${mark} (\\S+): \\d+ passed`, 'gm'))].map(([, name = '']) => name);
  return { code, output, passed: told('✓'), failed: told('✗') };
}

describe('scenario 46: the MCP client conforms to the protocol', () => {
  it.each(sample(1, ['2025-11-25', '2026-07-28']))(
    'of revision %s: every required case passes, and only extensions are missing',
    async (revision) => {
      const player = await startPlayer();
      onTestFinished(player.close);
      const { code, output, passed, failed } = await run(revision, player.url);
      const required = clientList(join(SUITE, `requirements/${revision}.yaml`));
      const missing = required.filter((scenario) => !passed.includes(scenario));
      if (missing.length > 0 || code !== 0) console.error(output.slice(-10_000));
      expect(required.length).toBeGreaterThanOrEqual(18);
      expect(missing).toEqual([]);
      expect(failed.toSorted()).toEqual(clientList(BASELINE).toSorted());
      expect(code).toBe(0);
    },
    120_000,
  );
});
