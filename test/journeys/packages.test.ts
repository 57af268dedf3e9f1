/**
 * Real packages: fetched from the registries of this machine, installed by a build, unpacked in a sandbox without a
 * network, and used by a command of an agent.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { PackageList } from '#contract/packages.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

describe('an environment with packages', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  async function environmentWith(packages: Partial<PackageList>): Promise<string> {
    const config = { type: 'cloud', packages: { type: 'packages', ...packages } } as const;
    const { id } = await service.client.beta.environments.create({ name: 'lab', config });
    return id;
  }

  async function sessionIn(environment: string): Promise<string> {
    const agent = await service.client.beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    const { id } = await service.client.beta.sessions.create({ agent: agent.id, environment_id: environment });
    return id;
  }

  async function run(session: string, command: string) {
    service.standIn.script(calling(bash(command)));
    const [result] = ofType(await service.converse(session, 'go'), 'agent.tool_result');
    return { text: textOf(result), isError: result?.is_error };
  }

  /** How often the containers have logged this text, also for earlier files of this runtime. */
  const said = (container: string, message: string) => {
    const file = join(service.data, 'logs', `${container}.log`);
    const log = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return log.split('\n').filter((line) => line.includes(`"message":"${message}"`)).length;
  };
  const started = () => ({
    builds: said('packages', 'archived') + said('packages', 'the build failed'),
    sandboxes: said('sandbox', 'listening'),
  });

  it('lets commands use the installed packages, and a second session starts no build', async () => {
    const before = started();
    const since = () => ({
      builds: started().builds - before.builds,
      sandboxes: started().sandboxes - before.sandboxes,
    });
    const environment = await environmentWith({ npm: ['semver@7.6.3'] });
    const command = `semver -i minor 1.2.3 && node -p 'require("semver").major("3.1.4")'`;
    const first = await run(await sessionIn(environment), command);
    expect(first).toMatchObject({ text: '1.3.0\n3', isError: false });
    await expect.poll(since).toEqual({ builds: 1, sandboxes: 1 });
    const second = await run(await sessionIn(environment), 'semver -i major 1.2.3');
    expect(second).toMatchObject({ text: '2.0.0', isError: false });
    await expect.poll(since).toEqual({ builds: 1, sandboxes: 2 });
  });

  it('reports the failed manager and its output to the model once, and starts no second sandbox for it', async () => {
    const environment = await environmentWith({ npm: ['semver@0.0.0-never-was'] });
    const session = await sessionIn(environment);
    const { text, isError } = await run(session, 'echo hi');
    expect(isError).toBe(true);
    expect(text).toContain('npm failed');
    expect(text).toContain('semver@0.0.0-never-was');
    const before = started();
    expect(await run(session, 'echo hi')).toMatchObject({ text, isError: true });
    expect(await run(await sessionIn(environment), 'echo hi')).toMatchObject({ text, isError: true });
    await expect.poll(started).toEqual(before);
  });

  it('offers those of apt and pip too, each where its programs look for them', async () => {
    const session = await sessionIn(await environmentWith({ apt: ['hello'], pip: ['six==1.16.0'] }));
    const { text, isError } = await run(session, 'hello -g "$(python3 -c "import six; print(six.__version__)")"');
    expect({ text, isError }).toEqual({ text: '1.16.0', isError: false });
  });

  it.skipIf(!inject('hasBubblewrap'))('keeps the sandbox itself without a network', async () => {
    const session = await sessionIn(await environmentWith({ npm: ['semver@7.6.3'] }));
    const { text } = await run(session, 'cat /proc/net/dev | grep -c : ; ls /etc/resolv.conf');
    expect(text).toMatch(/^1\n/);
    expect(text).toContain('No such file');
  });
});
