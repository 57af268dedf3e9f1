import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { describe, expect, test } from 'vitest';
import { checkRequest } from '#test/model/check-request.ts';
import { defaultScript, PRIME_SUM } from '#infra/local/model/default-script.ts';
import type { Reply, ReplyTool } from '#infra/local/model/script.ts';
import { requestOf, tool } from '#test/model/conversation.ts';

const TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep'].map(tool);

type Hand = (call: ReplyTool) => Promise<Omit<ToolResultBlockParam, 'type' | 'tool_use_id'>>;

/** Plays a conversation to its end as a harness would. Returns every reply and the whole conversation. */
async function converse(
  message: string,
  options: { hand?: Hand; history?: MessageParam[]; tools?: typeof TOOLS } = {},
) {
  const { hand = async () => ({ content: 'ok' }), history = [], tools = TOOLS } = options;
  const messages: MessageParam[] = [...history, { role: 'user', content: [{ type: 'text', text: message }] }];
  const replies: Reply[] = [];
  for (;;) {
    const request = requestOf(messages, tools);
    expect(checkRequest({ 'x-api-key': 'k', 'anthropic-version': '2026-10-21' }, request)).toBeNull();
    const reply = defaultScript(request);
    replies.push(reply);
    const content = contentOf(reply, messages.length);
    messages.push({ role: 'assistant', content });
    const uses = content.filter((block) => block.type === 'tool_use');
    if (uses.length === 0) return { replies, messages, text: textOf(reply) };
    const results = uses.map(async ({ id, name, input }) => ({
      type: 'tool_result' as const,
      tool_use_id: id,
      ...(await hand({ name, input: input as Record<string, unknown> })),
    }));
    messages.push({ role: 'user', content: await Promise.all(results) });
  }
}

function contentOf(reply: Reply, message: number) {
  const text = textOf(reply);
  return [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...(reply.tools ?? []).map((call, at) => ({ type: 'tool_use' as const, id: `toolu_${message}_${at}`, ...call })),
  ];
}

function textOf({ text = '' }: Reply): string {
  return typeof text === 'string' ? text : text.join('');
}

function toolsOf(replies: readonly Reply[]) {
  return replies.flatMap(({ tools }) => tools ?? []).map(({ name, input }) => ({ name, input }));
}

describe('a first message to the scripted stand-in', () => {
  test('makes it write a program, run it, read the result and quote that', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'stand-in-'));
    const hand: Hand = async ({ name, input }) => {
      const file = join(dir, String(input.file_path));
      if (name === 'read') return { content: await readFile(file, 'utf8') };
      if (name === 'bash')
        return { content: (await promisify(execFile)('bash', ['-c', String(input.command)], { cwd: dir })).stdout };
      await writeFile(file, String(input.content));
      return { content: [{ type: 'text', text: 'wrote it' }] };
    };
    const { replies, text } = await converse('do something', { hand });
    await rm(dir, { recursive: true });
    expect(toolsOf(replies).map(({ name }) => name)).toEqual(['write', 'bash', 'read']);
    expect(textOf(replies[0] ?? {})).toContain('scripted stand-in');
    expect(text).toContain(`The tool said:\nThe sum of the first 100 primes is ${PRIME_SUM}.`);
  });

  test('makes it stop at the first tool that fails, and say so', async () => {
    const { replies, text } = await converse('go', { hand: async () => ({ content: 'disk full', is_error: true }) });
    expect(replies).toHaveLength(2);
    expect(text).toContain('The tool failed:\ndisk full');
  });

  test('is answered with text only when no tools are offered', async () => {
    const { replies } = await converse('do something', { tools: [] });
    expect(toolsOf(replies)).toEqual([]);
  });
});

test('a later message to the scripted stand-in is answered with a short list of commands', async () => {
  const { messages } = await converse('first');
  const { replies, text } = await converse('and now?', { history: messages });
  expect(replies).toHaveLength(1);
  expect(text).toContain('run: COMMAND');
});

describe('commands to the scripted stand-in', () => {
  test.each<[string, string, Record<string, string>]>([
    ['run: ls -l | wc', 'bash', { command: 'ls -l | wc' }],
    ['RUN: ls', 'bash', { command: 'ls' }],
    ['read: a.txt', 'read', { file_path: 'a.txt' }],
    ['write: a.txt hello there', 'write', { file_path: 'a.txt', content: 'hello there\n' }],
    ['edit: a.txt hello => good bye', 'edit', { file_path: 'a.txt', old_string: 'hello', new_string: 'good bye' }],
    ['glob: **/*.ts', 'glob', { pattern: '**/*.ts' }],
    ['grep: foo bar', 'grep', { pattern: 'foo bar' }],
  ])('become a tool call: %s', async (message, name, input) => {
    const { replies, text } = await converse(message, { hand: async () => ({ content: 'tool output' }) });
    expect(toolsOf(replies)).toEqual([{ name, input }]);
    expect(text).toBe('The tool said:\ntool output');
  });

  test('call any offered tool, with JSON input or without input', async () => {
    const tools = [tool('mcp__fx__sum')];
    const { replies } = await converse('call: mcp__fx__sum {"a": 1}\ncall: mcp__fx__sum', { tools });
    expect(toolsOf(replies)).toEqual([
      { name: 'mcp__fx__sum', input: { a: 1 } },
      { name: 'mcp__fx__sum', input: {} },
    ]);
    const broken = await converse('call: mcp__fx__sum {"a": }', { tools });
    expect(toolsOf(broken.replies)).toEqual([]);
    expect(broken.text).toContain('call: TOOL');
  });

  test('on several lines become several calls of one answer', async () => {
    const { replies } = await converse('please\nrun: a\nrun: b\nread: c');
    expect(replies[0]?.tools).toHaveLength(3);
    expect(replies).toHaveLength(2);
  });

  test('have a long output quoted in part, and an empty one named as empty', async () => {
    const long = await converse('run: x', { hand: async () => ({ content: 'y'.repeat(5_000) }) });
    const empty = await converse('run: x', { hand: async () => ({}) });
    expect(long.text.length).toBeLessThan(2_100);
    expect(empty.text).toBe('The tool said:\n(nothing)');
  });

  test('for a tool that is not offered are refused in text', async () => {
    const { replies, text } = await converse('run: ls', { tools: [tool('read')] });
    expect(toolsOf(replies)).toEqual([]);
    expect(text).toContain('bash');
  });
});

test('as the grader of an outcome it says that it cannot judge', () => {
  const request = requestOf([{ role: 'user', content: 'run: ls' }], ['read', 'grep', 'verdict'].map(tool));
  expect(defaultScript(request).tools).toMatchObject([{ name: 'verdict', input: { result: 'failed' } }]);
});

test('the stand-in obeys the commands of a message also when it leads a team', async () => {
  const tools = [...TOOLS, { name: 'send_to_agent', input_schema: { type: 'object' as const } }];
  const { replies } = await converse('run: echo hi', { tools });
  expect(replies[0]?.tools).toEqual([{ name: 'bash', input: { command: 'echo hi' } }]);
});
