/**
 * The gate through which every model request passes: whatever the log holds, what leaves here keeps the rules of the
 * Messages API. The log itself stays as it is. The same conversation always gives the same request, and a longer one
 * differs from it at its end only, except where old attachments make room, so that the provider's cache serves.
 */
import { isBlank, wellFormedWithin } from '#contract/content.ts';
import {
  acceptableDocument,
  acceptableImage,
  acceptableSearchResult,
  gaveWayNote,
  givingWay,
} from '#core/harness/attachments.ts';
import type { ContentBlock, ModelMessage, ModelRequest, ToolDefinition } from '#core/ports/model.ts';

/** A block of a request, and the part of the log that it shows (`context.ts`); null where it shows none. */
export interface Part {
  readonly block: ContentBlock;
  readonly from: string | null;
}

export interface Said {
  readonly role: ModelMessage['role'];
  readonly parts: readonly Part[];
}

interface Asking {
  readonly request: Omit<ModelRequest, 'messages'>;
  readonly said: readonly Said[];
  /** A tool that the conversation names and the model may not call any more, as it was; null when it never was. */
  readonly earlierTool: (name: string) => ToolDefinition | null;
}

export interface Admitted {
  readonly request: ModelRequest;
  /** The request's messages, each block with its origin. */
  readonly said: readonly Said[];
}

export function admit({ request, said, earlierTool }: Asking): Admitted {
  const clean = ordered(
    withOneCitationSetting(withWireIds(withoutOrphans(said.map(acceptable)).filter(({ parts }) => parts.length > 0))),
  );
  const admitted = withRoom(clean, request.model);
  const messages = contentOf(admitted);
  const tools = toolsFor(request, messages, earlierTool);
  return { request: { ...request, ...tools, messages: cachedTail(messages) }, said: admitted };
}

export function contentOf(said: readonly Said[]): readonly ModelMessage[] {
  return said.map(({ role, parts }) => ({ role, content: parts.map(({ block }) => block) }));
}

const textBlock = (text: string): ContentBlock => ({ type: 'text', text });

/** A command may print spaces alone, and the provider refuses a text of nothing else. */
const BLANK_OUTPUT = textBlock('(blank output)');
/** The provider refuses an error without content. */
const NO_REASON = textBlock('(an error without a message)');

// Blocks.

/** The message without what the provider would refuse in it. */
function acceptable({ role, parts }: Said): Said {
  const kept: Part[] = [];
  for (const part of parts) {
    const block = acceptableBlock(part.block);
    if (block !== null) kept.push(block === part.block ? part : { block, from: part.from });
  }
  return { role, parts: kept };
}

/** By the blocks of the log, which a warm function keeps: each is judged once, and not again with each request. */
const judged = new WeakMap<ContentBlock, ContentBlock | null>();

/** Null for a block that says nothing, and for a thought that the provider could not verify. */
function acceptableBlock(block: ContentBlock): ContentBlock | null {
  if (block.type === 'tool_result') return acceptableResult(block);
  const known = judged.get(block);
  if (known !== undefined) return known;
  const shown = judge(block);
  judged.set(block, shown);
  return shown;
}

function judge(block: ContentBlock): ContentBlock | null {
  switch (block.type) {
    case 'text':
      return isBlank(block['text']) ? null : wellFormed(block);
    case 'thinking':
      // A thought is signed, so it is sent as it came or not at all.
      return isBlank(block['signature']) || wellFormed(block) !== block ? null : block;
    case 'redacted_thinking':
      return isBlank(block['data']) ? null : block;
    case 'tool_use':
      return wellFormed({
        ...block,
        name: wireName(block['name']),
        input: isRecord(block['input']) ? block['input'] : {},
      });
    case 'server_tool_use':
      return wellFormed(isRecord(block['input']) ? block : { ...block, input: {} });
    case 'image':
      return acceptableImage(wellFormed(block));
    case 'document':
      return acceptableDocument(wellFormed(block));
    case 'search_result':
      return acceptableSearchResult(wellFormed(block));
    default:
      return wellFormed(block);
  }
}

function acceptableResult(block: ContentBlock): ContentBlock {
  const content: readonly ContentBlock[] = Array.isArray(block['content']) ? block['content'] : [];
  if (content.length === 0) return { ...block, content: block['is_error'] === true ? [NO_REASON] : [] };
  const shown = content.map((part) => acceptableBlock(part) ?? BLANK_OUTPUT);
  return shown.every((part, index) => part === content[index]) ? block : { ...block, content: shown };
}

const MAX_TOOL_NAME_CHARS = 128;

/** Models write names with other letters, and the provider then refuses what its own model wrote. */
function wireName(name: unknown): string {
  const letters = String(name ?? '').replaceAll(/[^a-zA-Z0-9_-]/g, '_');
  return letters.slice(0, MAX_TOOL_NAME_CHARS) || 'unnamed';
}

/** The provider takes citations for all search results of a request or for none: the first one decides. */
function withOneCitationSetting(said: readonly Said[]): readonly Said[] {
  if (!hold(said, isSearchResult)) return said;
  const results = said.flatMap(({ parts }) => parts.flatMap(({ block }) => blocksIn(block))).filter(isSearchResult);
  const [first] = results;
  if (first === undefined || results.every(({ citations }) => isCited(citations) === isCited(first['citations'])))
    return said;
  const same = (block: ContentBlock) => (isSearchResult(block) ? { ...block, citations: first['citations'] } : block);
  return mapBlocks(said, same);
}

function isSearchResult({ type }: ContentBlock): boolean {
  return type === 'search_result';
}

function isCited(citations: unknown): boolean {
  return Object(citations).enabled === true;
}

// Calls.

const WIRE_ID = /^[a-zA-Z0-9_-]+$/;

/** Each call has the provider's id if that is well formed and no earlier call has it, and else the id of its event. */
function withWireIds(said: readonly Said[]): readonly Said[] {
  const taken = new Set<unknown>();
  const ids = new Map<string | null, unknown>();
  return said.map(({ role, parts }) => ({
    role,
    parts: parts.map((part) => {
      const { block, from } = part;
      if (block.type === 'tool_result') return withField(part, 'tool_use_id', ids.get(from) ?? from);
      if (block.type !== 'tool_use') return part;
      const isTaken = taken.has(block['id']) || !WIRE_ID.test(String(block['id'] ?? ''));
      const id = isTaken ? from : block['id'];
      taken.add(id);
      ids.set(from, id);
      return withField(part, 'id', id);
    }),
  }));
}

/** The provider refuses a result of its own tools without their call, which may have been left out. */
function withoutOrphans(said: readonly Said[]): readonly Said[] {
  const calls = new Set<unknown>();
  const isKept = ({ block }: Part) => {
    if (block.type === 'server_tool_use') calls.add(block['id']);
    return block.type === 'tool_result' || block['tool_use_id'] === undefined || calls.has(block['tool_use_id']);
  };
  return said.map(({ role, parts }) => ({ role, parts: parts.filter(isKept) }));
}

function withField(part: Part, field: string, value: unknown): Part {
  return part.block[field] === value ? part : { from: part.from, block: { ...part.block, [field]: value } };
}

/** The provider refuses a conversation with calls when the request defines no tool. */
function toolsFor(
  { tools, extra }: Asking['request'],
  messages: readonly ModelMessage[],
  earlierTool: Asking['earlierTool'],
): Pick<ModelRequest, 'tools' | 'extra'> {
  if (tools.length > 0) return { tools: cachedTools(tools.map(wellFormed)), extra };
  const calls = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'tool_use'));
  const names = [...new Set(calls.map(({ name }) => String(name)))];
  if (names.length === 0) return { tools, extra };
  const named = names.map((name) => earlierTool(name) ?? { name, description: GONE, input_schema: { type: 'object' } });
  return { tools: cachedTools(named), extra: { ...extra, tool_choice: { type: 'none' } } };
}

const GONE = 'This tool does not exist any more.';

// Messages.

const GO_ON: Said = { role: 'user', parts: [{ block: textBlock('(Go on.)'), from: null }] };

/** The order that the provider requires; what falls away there may bring two messages of one role together. */
function ordered(said: readonly Said[]): readonly Said[] {
  const joined = bridged(joinRoles(said));
  const kept = joined.flatMap((message, index) => tidied(message, index === joined.length - 1));
  return kept.length === joined.length ? kept : bridged(joinRoles(kept));
}

/** Consecutive messages of one role become one: queued messages are answered as one coherent turn. */
function joinRoles(said: readonly Said[]): readonly Said[] {
  const result: { role: ModelMessage['role']; parts: Part[] }[] = [];
  for (const message of said) {
    // An answer of nothing leaves no message between these; the provider takes the user's first, as in one request.
    const system = message.role === 'user' && result.at(-1)?.role === 'system' ? result.splice(-1) : [];
    const last = result.at(-1);
    if (last?.role === message.role) last.parts.push(...message.parts);
    else result.push({ role: message.role, parts: [...message.parts] });
    result.push(...system);
  }
  return result.map((message) => (message.role === 'user' ? resultsFirst(message) : message));
}

function resultsFirst(message: Said): Said {
  const { role, parts } = message;
  const isResult = (part: Part | undefined) => part?.block.type === 'tool_result';
  if (!parts.some((part, index) => index > 0 && isResult(part) && !isResult(parts[index - 1]))) return message;
  return { role, parts: [...parts.filter(isResult), ...parts.filter((part) => !isResult(part))] };
}

/** A conversation begins with the user, ends with the user or a paused answer, and has system messages after the user's. */
function bridged(said: readonly Said[]): readonly Said[] {
  const spaced = said.flatMap((message, index) => {
    const before = said[index - 1]?.role ?? 'assistant';
    const follows = message.role === 'user' || before === 'user' || (message.role === 'assistant' && index > 0);
    return follows ? [message] : [GO_ON, message];
  });
  const last = spaced.at(-1);
  return last === undefined || (last.role === 'assistant' && !isPaused(last)) ? [...spaced, GO_ON] : spaced;
}

function isPaused({ parts }: Said): boolean {
  return parts.some(({ block }) => block.type === 'server_tool_use');
}

/** An answer without the calls that nothing completes any more, and without thoughts at its end. */
function tidied(message: Said, isLast: boolean): readonly Said[] {
  if (message.role !== 'assistant') return [message];
  const kept = isLast || !isPaused(message) ? message : withoutAbandoned(message);
  const end = kept.parts.findLastIndex(({ block }) => !isThought(block)) + 1;
  if (end === kept.parts.length) return end === 0 ? [] : [kept];
  return end === 0 ? [] : [{ role: message.role, parts: kept.parts.slice(0, end) }];
}

/**
 * A paused answer may end with calls of the provider's own tools that have no result yet: it makes them when the answer
 * is the last message, or beside a call of ours, and refuses them when a message comes in between.
 */
function withoutAbandoned(message: Said): Said {
  const blocks = message.parts.map(({ block }) => block);
  if (blocks.some(({ type }) => type === 'tool_use')) return message;
  const answered = new Set(blocks.map((block) => block['tool_use_id']));
  const parts = message.parts.filter(({ block }) => block.type !== 'server_tool_use' || answered.has(block['id']));
  return { ...message, parts };
}

export function isThought({ type }: ContentBlock): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}

// Attachments.

/** The oldest attachments give way to the newest ones. */
function withRoom(said: readonly Said[], model: string): readonly Said[] {
  if (!hold(said, isAttachment)) return said;
  const attachments = said.flatMap(({ parts }) => parts.flatMap(({ block }) => blocksIn(block))).filter(isAttachment);
  const gone = givingWay(attachments, model);
  if (gone === 0) return said;
  let met = 0;
  return mapBlocks(said, (block) => {
    if (isAttachment(block)) met += 1;
    return isAttachment(block) && met <= gone ? gaveWayNote(block) : block;
  });
}

export function isAttachment({ type }: ContentBlock): boolean {
  return type === 'image' || type === 'document';
}

/** A result with the blocks in it, or any other block alone. */
export function blocksIn(block: ContentBlock): readonly ContentBlock[] {
  return block.type === 'tool_result' && Array.isArray(block['content']) ? block['content'] : [block];
}

/** Whether the bytes of files have to be put into the request. */
export function holdsFiles({ messages }: ModelRequest): boolean {
  return messages.some(({ content }) =>
    content.some((block) => blocksIn(block).some(({ source }) => Object(source).type === 'blob')),
  );
}

/** Whether any block is so: most conversations hold words and calls alone. */
function hold(said: readonly Said[], isSo: (block: ContentBlock) => boolean): boolean {
  return said.some(({ parts }) =>
    parts.some(({ block }) => (block.type === 'tool_result' ? blocksIn(block).some(isSo) : isSo(block))),
  );
}

function mapBlocks(said: readonly Said[], change: (block: ContentBlock) => ContentBlock): readonly Said[] {
  const changed = (block: ContentBlock): ContentBlock =>
    block.type === 'tool_result' && Array.isArray(block['content'])
      ? { ...block, content: block['content'].map(change) }
      : change(block);
  return said.map(({ role, parts }) => ({
    role,
    parts: parts.map(({ block, from }) => ({ from, block: changed(block) })),
  }));
}

// Cache.

/** The provider keeps what it has read of a request up to a breakpoint; a request has at most four. */
const CACHE_BREAKPOINT = { cache_control: { type: 'ephemeral' } } as const;

export function cachedText(text: string): ContentBlock {
  return { ...textBlock(text), ...CACHE_BREAKPOINT };
}

/** A breakpoint after the last tool: tools and system change least, so they are the longest stable prefix. */
function cachedTools(tools: ModelRequest['tools']): ModelRequest['tools'] {
  return tools.map((tool, index) => (index === tools.length - 1 ? { ...tool, ...CACHE_BREAKPOINT } : tool));
}

/**
 * Breakpoints on the last block of the last two user messages: the newest writes the cache for the next request, the
 * one before reads what the previous request wrote, which the provider would not find by itself behind an answer of
 * many calls: it looks back over twenty blocks. With tools and system that makes its maximum of four.
 */
function cachedTail(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const users = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []));
  const marked = new Set(users.slice(-2));
  return messages.map((message, index) => (marked.has(index) ? withBreakpoint(message) : message));
}

function withBreakpoint(message: ModelMessage): ModelMessage {
  const last = message.content.at(-1);
  if (last === undefined) return message;
  return { ...message, content: [...message.content.slice(0, -1), { ...last, ...CACHE_BREAKPOINT }] };
}

function wellFormed<Value extends object>(value: Value): Value {
  // The shape stays, only texts in it change.
  return wellFormedWithin(value) as Value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
