import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { engineClient } from '#test/runtime/engine-client.ts';
import { tableIn } from '#test/runtime/clients.ts';
import { createTable } from '#aws/table.ts';
import { listenHere, type Listening } from '#test/mcp/listening.ts';
import { ofType, resultsInOrder, startService, textOf, type Service } from '#test/journeys/service.ts';

describe('each sandbox tool, in a real sandbox,', () => {
  let service: Service;
  let session: string;
  beforeAll(async () => {
    service = await startService();
    session = await service.session();
  });
  afterAll(async () => service.close());

  /** The results of calls that the model makes in one answer. */
  async function resultsOf(...tools: readonly ReplyTool[]) {
    service.standIn.script(calling(...tools));
    const seen = await service.converse(session, 'go');
    const results = ofType(seen, 'agent.tool_result');
    return ofType(seen, 'agent.tool_use').map(({ id }) => {
      const result = results.find((one) => one.tool_use_id === id);
      return { text: textOf(result), isError: result?.is_error };
    });
  }

  async function resultOf(tool: ReplyTool) {
    const [result] = await resultsOf(tool);
    return result ?? expect.fail('the call has no result');
  }

  it('writes, reads, edits, finds and searches files, and runs commands on them', async () => {
    const file_path = 'notes/a.txt';
    const results = await resultsOf(
      { name: 'write', input: { file_path, content: 'alpha\nbeta\n' } },
      { name: 'read', input: { file_path } },
      { name: 'edit', input: { file_path, old_string: 'beta', new_string: 'gamma' } },
      { name: 'grep', input: { pattern: 'gam+a' } },
      { name: 'glob', input: { pattern: '**/*.txt' } },
      bash('cat notes/a.txt'),
    );
    expect(results).toMatchObject([
      { text: expect.stringContaining('wrote 11 bytes'), isError: false },
      { text: 'alpha\nbeta\n' },
      { isError: false },
      { text: expect.stringContaining('2:gamma') },
      { text: expect.stringContaining('notes/a.txt') },
      { text: 'alpha\ngamma', isError: false },
    ]);
  });

  it('takes effect in the order in which the model wrote the calls of one answer', async () => {
    const write = (content: string): ReplyTool => ({ name: 'write', input: { file_path: 'm.sh', content } });
    const run = bash('. ./m.sh');
    const edit = { name: 'edit', input: { file_path: 'm.sh', old_string: 'two', new_string: 'three' } };
    service.standIn.script(calling(write('echo one'), run, write('echo two'), run, edit, run, write('echo four'), run));
    const fresh = await service.session();
    for (const asked of ['in a sandbox that starts', 'in a warm one']) {
      const results = resultsInOrder(await service.converse(fresh, asked));
      expect(results.filter((text) => !/^(wrote|edited)/.test(text))).toEqual(['one', 'two', 'three', 'four']);
    }
  });

  it.skipIf(!inject('hasBubblewrap'))('writes below /mnt, in folders that are there and in new ones', async () => {
    const paths = ['/mnt/session/outputs/b.txt', '/mnt/user/b.txt', '/mnt/data/new/b.txt'];
    const [made, ...others] = await resultsOf(
      bash('echo a > /mnt/session/outputs/a.txt && ls /mnt/user'),
      ...paths.flatMap((file_path) => [
        { name: 'write', input: { file_path, content: 'b' } },
        { name: 'read', input: { file_path } },
      ]),
      bash('cat /mnt/session/outputs/* /mnt/data/new/b.txt'),
    );
    expect(made).toMatchObject({ isError: false });
    expect(others).toMatchObject([...paths.flatMap(() => [{ isError: false }, { text: 'b' }]), { text: 'a\nbb' }]);
  });

  it('keeps the shell between calls', async () => {
    await resultOf(bash('cd /tmp && export COLOUR=blue'));
    expect(await resultOf(bash('echo "$COLOUR in $PWD"'))).toMatchObject({ text: 'blue in /tmp' });
  });

  it('reports a failing command to the model and does not fail itself', async () => {
    expect(await resultOf(bash('echo oh no >&2; exit 3'))).toMatchObject({
      text: expect.stringContaining('oh no'),
      isError: true,
    });
  });

  it('cuts a long output and leaves the whole in a file that the agent can read', async () => {
    const { text } = await resultOf(bash('seq 1 100000'));
    expect(text.length).toBeLessThanOrEqual(100_000);
    const path = /\S*\.brainstem\/outputs\/\S+?\.txt/.exec(text)?.[0] ?? 'no path was told';
    const range = { file_path: path, view_range: [77_777, 77_777] };
    expect((await resultOf({ name: 'read', input: range })).text).toContain('77777');
  });

  it('gives commands an environment without variables of the service', async () => {
    const { text } = await resultOf(bash('env'));
    expect(text).not.toMatch(/AWS_(?!CA_BUNDLE)|ANTHROPIC|SANDBOX_|TOKEN|SECRET/i);
  });

  it.skipIf(!inject('hasBubblewrap'))(
    'gives commands no network of their own and none of this machine’s files',
    async () => {
      const { text } = await resultOf(
        bash(`ls ${service.data} ${process.env['HOME'] ?? '/root'}/.ssh; cat /proc/net/dev | wc -l; true`),
      );
      expect(text).not.toContain('secrets');
      expect((await resultOf(bash('timeout 2 bash -c "</dev/tcp/127.0.0.1/80" && echo reached'))).text).not.toContain(
        'reached',
      );
    },
  );
});

describe.skipIf(!inject('hasBubblewrap'))('programs in a sandbox', () => {
  let service: Service;
  let here: Listening;
  beforeAll(async () => {
    service = await startService();
    here = await listenHere((request, response) => void response.end(`seen ${request.url}`));
  });
  afterAll(async () => {
    await here.close();
    await service.close();
  });

  async function sessionOf(networking: object) {
    const { client } = service;
    const agent = await client.beta.agents.create({
      ...{ name: 'Ada', model: 'claude-opus-5', system: 'You are Ada.', tools: [{ type: 'agent_toolset_20260401' }] },
    });
    const config = { type: 'cloud', networking } as never;
    const environment = await client.beta.environments.create({ name: 'lab', config });
    return (await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
  }

  async function run(session: string, command: string): Promise<string> {
    service.standIn.script(calling(bash(command)));
    return resultsInOrder(await service.converse(session, 'go'))[0] ?? expect.fail('the call has no result');
  }

  const table = () => createTable(engineClient(service.runtime), tableIn(service.runtime, 'RECORDS_TABLE'));
  const proxy = () => table().get({ pk: 'egress', sk: 'proxy#0' });
  /** The variable keeps programs from asking the proxy for this machine. */
  const get = (url: string) => `curl -sS --noproxy '' -m 60 ${url}`;
  const limited = (...hosts: readonly string[]) => ({ type: 'limited', allowed_hosts: hosts });

  it('of a session that reaches nothing find no way out, and no proxy is started for them', async () => {
    const before = await proxy();
    const told = await run(
      await sessionOf(limited()),
      `env | grep -ci proxy; ${get(`http://localhost:${here.port}/a`)} 2>&1`,
    );
    expect(told).toMatch(/^0\n.*(refused|connect)/);
    expect(await proxy()).toEqual(before);
  });

  it('that use no network start no proxy', async () => {
    const before = await proxy();
    expect(await run(await sessionOf({ type: 'unrestricted' }), 'echo $https_proxy')).toMatch(/^http:\/\/127/);
    expect(await proxy()).toEqual(before);
  });

  it('reach the open network and no private address, and go on when the proxy was killed', async () => {
    const session = await sessionOf({ type: 'unrestricted' });
    const fetched = get(`http://localhost:${here.port}/a`);
    expect(await run(session, fetched)).toBe('seen /a');
    const private_ = [
      'https://169.254.169.254/',
      'https://10.0.0.1/',
      'https://[::ffff:a00:1]/',
      'https://2130706434/',
    ];
    const refused = await run(session, private_.map((url) => `curl -s -m 60 ${url}`).join('; '));
    expect(refused).toContain('(The network rules refused 169.254.169.254: ');
    expect(refused.match(/private hosts are reached only where network.allow/g)).toHaveLength(4);
    const { task } = (await proxy()) ?? {};
    await service.runtime.faults.loseSandbox(String(task));
    expect(await run(session, fetched)).toBe('seen /a');
    expect((await proxy())?.['task']).not.toBe(task);
  });

  it('of a limited session reach its hosts, and are told which rule refused another', async () => {
    const session = await sessionOf(limited('localhost'));
    expect(await run(session, get(`http://localhost:${here.port}/b`))).toBe('seen /b');
    const refused = await run(session, `curl -s -m 60 https://example.com/; echo "ended $?"`);
    expect(refused).toMatch(/^ended 56\n/);
    expect(refused).toContain('add it to networking.allowed_hosts of the environment');
    const uses = async () => {
      const { data } = await service.client.get<{ data: readonly { entry: object }[] }>('/v1/x/audit?kind=egress');
      return data.map(({ entry }) => entry);
    };
    const refusal = { session, host: 'example.com', verdict: 'refused', rule: 'allowed_hosts' };
    await expect.poll(uses, { timeout: 20_000 }).toContainEqual(expect.objectContaining(refusal));
  });
});
