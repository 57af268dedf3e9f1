/** Runs the programs of the documents unchanged except for address and key. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultScript } from '#infra/local/model/default-script.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the programs in the documents', () => {
  let service: Service;
  let folder: string;
  beforeAll(async () => {
    service = await startService();
    // The file is inside the repository, where Node finds the SDK. The programs have no types, so they run as
    // JavaScript.
    mkdirSync(join(ROOT, 'node_modules/.cache'), { recursive: true });
    folder = mkdtempSync(join(ROOT, 'node_modules/.cache/programs-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await service.close();
  });

  async function run(page: string, which = 0, ...args: readonly string[]): Promise<string> {
    const blocks = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```(?:ts|js)\n([^]*?)^```/gm)];
    const programs = blocks.map(([, code = '']) => code).filter((code) => /^import Anthropic/m.test(code));
    const program = programs[which];
    if (program === undefined) throw new Error(`${page} has no program`);
    const { baseUrl, apiKey } = service.runtime;
    const client = `new Anthropic({ baseURL: 'http://127.0.0.1:8787', apiKey: '…' })`;
    expect(program).toContain(client);
    const file = join(folder, `${page.replaceAll('/', '-')}.mjs`);
    writeFileSync(file, program.replace(client, `new Anthropic({ baseURL: '${baseUrl}', apiKey: '${apiKey}' })`));
    return (await promisify(execFile)(process.execPath, [file, ...args])).stdout;
  }

  it('of README.md: the first program prints the events of one turn', async () => {
    const types = (await run('README.md')).trim().split('\n');
    expect(types.at(0)).toBe('user.message');
    expect(types).toContain('agent.message');
    expect(types.at(-1)).toBe('session.status_idle');
  });

  it('of README.md: the second program shows two agents that report to a third', async () => {
    service.standIn.script(defaultScript);
    const printed = (await run('README.md', 1)).trim().split('\n');
    expect(printed).toEqual(
      expect.arrayContaining(['Bo: The tool said:', 'Cy: The tool said:', 'Ada is idle', 'Bo is idle']),
    );
    expect(printed.join('\n')).toContain('the sum of the primes below 1,000 is 76127');
  });

  it('of docs/vaults.md: the program makes a session with a vault and an MCP server', async () => {
    await run('docs/vaults.md');
    const [session] = (await service.client.beta.sessions.list({ limit: 1 })).data;
    expect(session?.vault_ids).toHaveLength(1);
    expect(session?.agent.mcp_servers).toMatchObject([{ name: 'example' }]);
  });

  it('of docs/files-memory-skills.md: the program prints what the agent made of the uploaded file', async () => {
    service.standIn.script(calling(bash('tail -1 /mnt/session/uploads/cities.csv > /mnt/session/outputs/report.md')));
    const printed = (await run('docs/files-memory-skills.md')).trim().split('\n');
    expect(printed).toContain('cities.csv (the session has a copy)');
    expect(printed).toContain('report.md Oslo,717710');
  });

  it('of docs/files-memory-skills.md: the program for large files uploads one', async () => {
    const large = join(folder, 'large.bin');
    writeFileSync(large, Buffer.alloc(12_000_000, 'large '));
    const printed = (await run('docs/files-memory-skills.md', 1, large)).trim();
    expect(printed).toMatch(/^file_\w+ 12000000$/);
    const [file] = (await service.client.beta.files.list({ betas: [] })).data;
    expect(printed).toContain(file?.id);
  });
});
