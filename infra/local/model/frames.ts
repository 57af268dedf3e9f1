/** A reply as the Messages API streams it: a list of events. */
import { randomUUID } from 'node:crypto';
import type {
  ContentBlock,
  RawContentBlockDelta,
  RawMessageStreamEvent,
  StopReason,
  Usage,
} from '@anthropic-ai/sdk/resources/messages';
import type { ModelRequest, Reply, ReplyTool, ServedBlock } from './script.ts';

export type Frame = RawMessageStreamEvent | { readonly type: 'ping' };

/** One content block: as it starts, and what is added to it. */
interface StreamedBlock {
  readonly start: ContentBlock;
  readonly deltas: readonly RawContentBlockDelta[];
}

/** `requestChars` only serves to estimate the input tokens. */
export function framesOf(reply: Reply, request: ModelRequest, requestChars: number): readonly Frame[] {
  const usage = usageOf(reply, requestChars);
  return [
    {
      type: 'message_start',
      message: {
        id: newId('msg'),
        type: 'message',
        role: 'assistant',
        model: request.model,
        content: [],
        container: null,
        diagnostics: null,
        stop_details: null,
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 1 },
      },
    },
    ...blocksOf(reply).flatMap(framesOfBlock),
    {
      type: 'message_delta',
      delta: {
        container: null,
        stop_details: reply.stopDetails ?? null,
        stop_reason: stopReasonOf(reply),
        stop_sequence: null,
      },
      usage: {
        cache_creation_input_tokens: usage.cache_creation_input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        output_tokens_details: null,
        server_tool_use: null,
      },
    },
    { type: 'message_stop' },
  ];
}

/** The API pings after the first block has started; a client must be able to skip it anywhere. */
function framesOfBlock(block: StreamedBlock, index: number): readonly Frame[] {
  const ping: readonly Frame[] = index === 0 ? [{ type: 'ping' }] : [];
  return [
    { type: 'content_block_start', index, content_block: block.start },
    ...ping,
    ...block.deltas.map((delta): Frame => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

function blocksOf(reply: Reply): readonly StreamedBlock[] {
  const blocks: StreamedBlock[] = [];
  if (reply.thinking !== undefined) blocks.push(thinkingBlock(reply.thinking));
  for (const block of reply.served ?? []) blocks.push(servedBlock(block));
  if (reply.text !== undefined) blocks.push(textBlock(typeof reply.text === 'string' ? [reply.text] : reply.text));
  for (const tool of reply.tools ?? []) blocks.push(toolBlock(tool));
  return blocks;
}

function thinkingBlock(thinking: string): StreamedBlock {
  const signature = signThinking(thinking);
  return {
    start: { type: 'thinking', thinking: '', signature: '' },
    deltas: [
      { type: 'thinking_delta', thinking },
      { type: 'signature_delta', signature },
    ],
  };
}

/**
 * A checksum of the text, so that a check of later requests can see a thinking block that came back changed, as the real
 * API does. It is not SHA-256, because each thinking block of a long conversation is checked again with each request.
 */
export function signThinking(thinking: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < thinking.length; at += 1) hash = Math.imul(hash ^ thinking.charCodeAt(at), 0x01000193);
  return `${SIGNATURE_PREFIX}${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

export const SIGNATURE_PREFIX = 'standin.';

function textBlock(chunks: readonly string[]): StreamedBlock {
  return {
    start: { type: 'text', text: '', citations: null },
    deltas: chunks.map((text) => ({ type: 'text_delta', text })),
  };
}

/** The input comes in pieces that are not JSON by themselves, the first one empty, as from the real API. */
function toolBlock({ id, name, input }: ReplyTool): StreamedBlock {
  const use = { type: 'tool_use' as const, id: id ?? newId('toolu'), name, caller: { type: 'direct' as const } };
  return { start: { ...use, input: {} }, deltas: inputDeltas(input) };
}

/** A call streams its input like any other; a result comes whole. */
function servedBlock(block: ServedBlock): StreamedBlock {
  if (block.type !== 'server_tool_use') return { start: block, deltas: [] };
  return { start: { ...block, input: {} }, deltas: inputDeltas(block.input) };
}

function inputDeltas(input: unknown): StreamedBlock['deltas'] {
  const json = JSON.stringify(input);
  const half = Math.ceil(json.length / 2);
  return ['', json.slice(0, half), json.slice(half)].map((partial_json) => ({
    type: 'input_json_delta',
    partial_json,
  }));
}

function stopReasonOf(reply: Reply): StopReason {
  return reply.stopReason ?? (reply.tools?.length ? 'tool_use' : 'end_turn');
}

function usageOf(reply: Reply, requestChars: number): Usage {
  return {
    cache_creation: null,
    cache_creation_input_tokens: reply.usage?.cache_creation_input_tokens ?? 0,
    cache_read_input_tokens: reply.usage?.cache_read_input_tokens ?? 0,
    inference_geo: null,
    input_tokens: reply.usage?.input_tokens ?? tokensOf(requestChars),
    output_tokens: reply.usage?.output_tokens ?? tokensOf(charsOf(reply)),
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    speed: null,
  };
}

function charsOf({ thinking = '', text = '', tools = [] }: Reply): number {
  const calls = tools.map(({ name, input }) => name + JSON.stringify(input));
  return [thinking, text, calls].flat().reduce((sum, part) => sum + part.length, 0);
}

function tokensOf(chars: number): number {
  return Math.max(1, Math.ceil(chars / 4));
}

function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}
