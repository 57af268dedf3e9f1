/**
 * The rules of a conversation: roles, non-empty content, and a result for every tool use in the next message. Only a
 * paused answer may come last, because the API continues the calls of its own tools in it.
 */
import { isFields, type Fields } from './fields.ts';
import { SIGNATURE_PREFIX, signThinking } from '#infra/local/model/frames.ts';

/** Returns a sentence that starts with the field's path, or null when every rule is kept. */
export function checkMessages(messages: unknown): string | null {
  if (!Array.isArray(messages) || messages.length === 0) return 'messages: at least one message is required';
  let open: ReadonlySet<string> = new Set();
  let previous = 'assistant';
  for (const [at, message] of messages.entries()) {
    const path = `messages.${at}`;
    const isLast = at === messages.length - 1;
    const broken =
      brokenRole(message, previous) ??
      brokenContent(message) ??
      brokenResults(message, open) ??
      (isLast ? null : brokenServed(message));
    if (broken !== null) return `${path}.${broken}`;
    if (message.role === 'system') continue;
    open = toolUsesOf(message);
    previous = message.role;
  }
  if (open.size > 0) return `messages.${messages.length - 1}: ${unanswered(open)}`;
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

function brokenContent({ content }: Fields): string | null {
  if (typeof content === 'string') return content.trim() === '' ? 'content: must be non-empty' : null;
  if (!Array.isArray(content) || content.length === 0) return 'content: must be non-empty';
  for (const [at, block] of content.entries()) {
    const broken = isFields(block) ? brokenBlock(block) : 'type: Field required';
    if (broken !== null) return `content.${at}.${broken}`;
  }
  return null;
}

function brokenBlock(block: Fields): string | null {
  switch (block.type) {
    case 'text':
      return brokenText(block);
    case 'thinking':
      return brokenThinking(block);
    case 'tool_use':
      return brokenToolUse(block);
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

function brokenToolUse({ id, name, input }: Fields): string | null {
  if (typeof id !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(id)) return 'id: must match ^[a-zA-Z0-9_-]+$';
  if (typeof name !== 'string' || name === '') return 'name: Field required';
  return isFields(input) ? null : 'input: Input should be a valid dictionary';
}

function brokenToolResult({ tool_use_id: id, content }: Fields): string | null {
  if (typeof id !== 'string') return 'tool_use_id: Field required';
  if (content === undefined || typeof content === 'string') return null;
  if (!Array.isArray(content)) return 'content: a string or a list of blocks is required';
  const empty = content.findIndex((block) => isFields(block) && block.type === 'text' && block.text === '');
  return empty === -1 ? null : `content.${empty}.text: text content blocks must be non-empty`;
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
