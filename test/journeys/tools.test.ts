import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, resultsInOrder, startService, textOf, type Service } from '#test/journeys/service.ts';

describe('each sandbox tool, in a real sandbox,', () => {
  let service: Service;
  let session: string;
  beforeAll(async () => {
    service = await startService();
    session = await service.session();
  });
  afterAll(async () => service.close());

  async function resultOf(tool: ReplyTool) {
    service.standIn.script(calling(tool));
    const seen = await service.converse(session, 'go');
    const [result] = ofType(seen, 'agent.tool_result');
    return { text: textOf(result), isError: result?.is_error };
  }

  it('writes, reads, edits, finds and searches files, and runs commands on them', async () => {
    const write = await resultOf({ name: 'write', input: { file_path: 'notes/a.txt', content: 'alpha\nbeta\n' } });
    expect(write).toMatchObject({ text: expect.stringContaining('wrote 11 bytes'), isError: false });
    expect(await resultOf({ name: 'read', input: { file_path: 'notes/a.txt' } })).toMatchObject({
      text: 'alpha\nbeta\n',
    });
    const edit = { file_path: 'notes/a.txt', old_string: 'beta', new_string: 'gamma' };
    expect(await resultOf({ name: 'edit', input: edit })).toMatchObject({ isError: false });
    expect((await resultOf({ name: 'grep', input: { pattern: 'gam+a' } })).text).toContain('2:gamma');
    expect((await resultOf({ name: 'glob', input: { pattern: '**/*.txt' } })).text).toContain('notes/a.txt');
    expect(await resultOf(bash('cat notes/a.txt'))).toMatchObject({ text: 'alpha\ngamma', isError: false });
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
    expect(await resultOf(bash('echo a > /mnt/session/outputs/a.txt && ls /mnt/user'))).toMatchObject({
      isError: false,
    });
    for (const file_path of ['/mnt/session/outputs/b.txt', '/mnt/user/b.txt', '/mnt/data/new/b.txt']) {
      expect(await resultOf({ name: 'write', input: { file_path, content: 'b' } })).toMatchObject({ isError: false });
      expect((await resultOf({ name: 'read', input: { file_path } })).text).toBe('b');
    }
    expect((await resultOf(bash('cat /mnt/session/outputs/* /mnt/data/new/b.txt'))).text).toBe('a\nbb');
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
    expect(text).not.toMatch(/AWS_|ANTHROPIC|SANDBOX_|TOKEN|SECRET/i);
  });

  it.skipIf(!inject('hasBubblewrap'))('gives commands no network and none of this machine’s files', async () => {
    const { text } = await resultOf(
      bash(`ls ${service.data} ${process.env['HOME'] ?? '/root'}/.ssh; cat /proc/net/dev | wc -l; true`),
    );
    expect(text).not.toContain('secrets');
    expect((await resultOf(bash('timeout 2 bash -c "</dev/tcp/127.0.0.1/80" && echo reached'))).text).not.toContain(
      'reached',
    );
  });
});
