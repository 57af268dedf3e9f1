/**
 * The rules of a conversation: roles, non-empty content, and a result for every tool use in the next message. Only a
 * paused answer may come last, because the API continues the calls of its own tools in it.
 */
import {
  brokenDocument,
  brokenImage,
  brokenImages,
  brokenSearchResult,
  brokenSearchResults,
} from './check-attachments.ts';
import { isFields, listOf, type Fields } from './fields.ts';
import { SIGNATURE_PREFIX, signThinking } from '#infra/local/model/frames.ts';

/** Returns a sentence that starts with the field's path, or null when every rule is kept. */
export function checkMessages(messages: unknown): string | null {
  if (!Array.isArray(messages) || messages.length === 0) return 'messages: at least one message is required';
  let open: ReadonlySet<string> = new Set();
  const uses = new Set<unknown>();
  let previous = 'assistant';
  for (const [at, message] of messages.entries()) {
    const path = `messages.${at}`;
    const isLast = at === messages.length - 1;
    const broken =
      brokenRole(message, previous) ??
      brokenContent(message) ??
      brokenIds(message, uses) ??
      brokenResults(message, open) ??
      brokenServedResults(message, uses) ??
      (isLast ? null : brokenServed(message));
    if (broken !== null) return `${path}.${broken}`;
    if (message.role === 'system') continue;
    open = toolUsesOf(message);
    previous = message.role;
  }
  if (open.size > 0) return `messages.${messages.length - 1}: ${unanswered(open)}`;
  const together = brokenImages(messages) ?? brokenSearchResults(messages);
  if (together !== null) return together;
  return previous === 'user' || isPaused(messages.at(-1))
    ? null
    : `messages.${messages.length - 1}.role: the conversation must end with a user message`;
}

/**
 * Stricter than the API, which joins consecutive messages of one role. A harness that sends two in a row has lost track
 * of the turn, and the joined message would hide that.
 */
function brokenRole(message: unknown, previous: string): string | null {
  if (!isFields(message)) return 'role: Field required';
  if (message.role === 'system')
    return previous === 'user' ? null : 'role: a system message must follow a user message';
  const expected = previous === 'user' ? 'assistant' : 'user';
  return message.role === expected ? null : `role: roles must alternate, expected '${expected}'`;
}

function brokenContent({ role, content }: Fields): string | null {
  if (typeof content === 'string') return content.trim() === '' ? 'content: must be non-empty' : null;
  if (!Array.isArray(content) || content.length === 0) return 'content: must be non-empty';
  for (const [at, block] of content.entries()) {
    const broken = isFields(block) ? (brokenPlace(role, block) ?? brokenBlock(block)) : 'type: Field required';
    if (broken !== null) return `content.${at}.${broken}`;
  }
  if (role !== 'assistant' || !isThought(content.at(-1))) return null;
  return 'content: The final block in an assistant message cannot be `thinking`';
}

function isThought({ type }: Fields): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}

const FROM_USER: ReadonlySet<unknown> = new Set(['text', 'image', 'document', 'search_result', 'tool_result']);
const IN_RESULT: ReadonlySet<unknown> = new Set(['text', 'image', 'document', 'search_result']);

function brokenPlace(role: unknown, { type }: Fields): string | null {
  const isTaken =
    role === 'assistant' ? type !== 'tool_result' : role === 'system' ? type === 'text' : FROM_USER.has(type);
  return isTaken ? null : `type: \`${String(type)}\` blocks are not permitted in a message of the role ${String(role)}`;
}

function brokenBlock(block: Fields): string | null {
  switch (block.type) {
    case 'text':
      return brokenText(block);
    case 'image':
      return brokenImage(block);
    case 'document':
      return brokenDocument(block);
    case 'search_result':
      return brokenSearchResult(block);
    case 'thinking':
      return brokenThinking(block);
    case 'redacted_thinking':
      return typeof block.data === 'string' && block.data !== '' ? null : 'data: Field required';
    case 'tool_use':
      return brokenToolUse(block);
    case 'server_tool_use':
      return brokenServerToolUse(block);
    case 'tool_result':
      return brokenToolResult(block);
    default:
      return typeof block.type === 'string' ? null : 'type: Field required';
  }
}

function brokenText({ text }: Fields): string | null {
  return typeof text === 'string' && text.trim() !== '' ? null : 'text: text content blocks must be non-empty';
}

function brokenThinking({ thinking, signature, cache_control: breakpoint }: Fields): string | null {
  if (typeof thinking !== 'string') return 'thinking: Field required';
  if (typeof signature !== 'string' || signature === '') return 'signature: Field required';
  if (breakpoint !== undefined) return 'cache_control: Extra inputs are not permitted';
  return isSignatureOf(signature, thinking) ? null : 'signature: Invalid `signature` in `thinking` block';
}

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

function brokenToolUse({ id, name, input }: Fields): string | null {
  if (typeof id !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(id))
    return "id: String should match pattern '^[a-zA-Z0-9_-]+$'";
  if (typeof name !== 'string' || !TOOL_NAME.test(name))
    return `name: String should match pattern '${TOOL_NAME.source}'`;
  return isFields(input) ? null : 'input: Input should be a valid dictionary';
}

function brokenServerToolUse({ id, name, input }: Fields): string | null {
  if (typeof id !== 'string' || !/^srvtoolu_[a-zA-Z0-9_]+$/.test(id)) return 'id: must match ^srvtoolu_[a-zA-Z0-9_]+$';
  if (typeof name !== 'string' || name === '') return 'name: Field required';
  return isFields(input) ? null : 'input: Input should be a valid dictionary';
}

function brokenToolResult({ tool_use_id: id, content, is_error: isError }: Fields): string | null {
  if (typeof id !== 'string') return 'tool_use_id: Field required';
  const isEmpty = content === undefined || content === '' || (Array.isArray(content) && content.length === 0);
  if (isEmpty && isError === true) return 'content: content cannot be empty if `is_error` is true';
  if (content === undefined || typeof content === 'string') return null;
  if (!Array.isArray(content)) return 'content: a string or a list of blocks is required';
  for (const [at, block] of content.entries()) {
    const isTaken = isFields(block) && IN_RESULT.has(block.type);
    const broken = isTaken ? brokenBlock(block) : 'type: is not permitted in a tool_result';
    if (broken !== null) return `content.${at}.${broken}`;
  }
  return null;
}

function brokenIds({ content }: Fields, uses: Set<unknown>): string | null {
  for (const [at, block] of listOf(content).entries()) {
    if (!isFields(block) || (block.type !== 'tool_use' && block.type !== 'server_tool_use')) continue;
    if (uses.has(block.id)) return `content.${at}: \`tool_use\` ids must be unique`;
    uses.add(block.id);
  }
  return null;
}

/** Results come first in their message, one for each tool use of the message before, and for nothing else. */
function brokenResults({ role, content }: Fields, open: ReadonlySet<string>): string | null {
  if (role === 'system') return null;
  const blocks: readonly Fields[] = Array.isArray(content) ? content : [];
  const answered = new Set<string>();
  for (const [at, block] of blocks.entries()) {
    if (block.type !== 'tool_result') continue;
    const id = String(block.tool_use_id);
    if (!open.has(id))
      return `content.${at}.tool_use_id: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}`;
    if (answered.has(id))
      return `content.${at}.tool_use_id: each tool_use must have a single result, found a second for ${id}`;
    if (at > answered.size) return `content.${at}: tool_result blocks must come before all other content`;
    answered.add(id);
  }
  const missing = new Set([...open].filter((id) => !answered.has(id)));
  return missing.size === 0 ? null : `content: ${unanswered(missing)}`;
}

/** A result of one of the API's own tools needs its call, in its message or an earlier one. */
function brokenServedResults({ role, content }: Fields, uses: ReadonlySet<unknown>): string | null {
  if (role !== 'assistant') return null;
  for (const [at, block] of listOf(content).entries()) {
    if (!isFields(block) || !String(block.type).endsWith('_tool_result') || uses.has(block.tool_use_id)) continue;
    return `content.${at}: unexpected \`tool_use_id\` found in \`${String(block.type)}\` blocks`;
  }
  return null;
}

/** Calls of the API's own tools that stand beside other calls are made when those have their results. */
function brokenServed(message: Fields): string | null {
  if (toolUsesOf(message).size > 0) return null;
  const [open] = openServed(message);
  if (open === undefined) return null;
  const { name, id } = open;
  return `content: \`${String(name)}\` tool use with id ${String(id)} was found without a corresponding result block`;
}

function openServed({ content }: Fields): readonly Fields[] {
  const blocks: readonly Fields[] = Array.isArray(content) ? content : [];
  const answered = new Set(blocks.map((block) => block.tool_use_id));
  return blocks.filter(({ type, id }) => type === 'server_tool_use' && !answered.has(id));
}

function isPaused(message: Fields): boolean {
  const blocks: readonly Fields[] = Array.isArray(message.content) ? message.content : [];
  return message.role === 'assistant' && blocks.some(({ type }) => type === 'server_tool_use');
}

function toolUsesOf({ content }: Fields): ReadonlySet<string> {
  if (!Array.isArray(content)) return new Set();
  return new Set(content.filter((block) => block.type === 'tool_use').map((block) => String(block.id)));
}

function unanswered(ids: ReadonlySet<string>): string {
  return `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...ids].join(', ')}`;
}

/** A signature that another model made cannot be checked here, and is accepted. */
function isSignatureOf(signature: string, thinking: string): boolean {
  return !signature.startsWith(SIGNATURE_PREFIX) || signature === signThinking(thinking);
}
