/**
 * What the real Messages API refuses, checked where a harness can get it wrong. A stand-in that accepts anything would
 * let a broken conversation pass every test and fail with the first real model.
 */
import type { Arrival } from '#infra/local/model/script.ts';
import type { ModelRequest } from '#core/ports/model.ts';
import { checkMessages } from './check-messages.ts';
import { isFields, listOf, type Fields } from './fields.ts';

export interface Refusal {
  readonly status: 400 | 401;
  readonly type: 'invalid_request_error' | 'authentication_error';
  readonly message: string;
}

/** Returns a sentence that starts with the field's path, or null when the rule is kept. */
type Rule = (request: Fields) => string | null;

const FIELDS: ReadonlySet<string> = new Set(
  (
    'max_tokens messages model cache_control container context_management diagnostics inference_geo metadata ' +
    'output_config service_tier speed stop_sequences stream system thinking tool_choice tools user_profile_id ' +
    'workspace_id'
  ).split(' '),
);

const MAX_CACHE_BREAKPOINTS = 4;
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

const MAX_BODY_CHARS = 32 * 1024 * 1024;
const COMBINATORS = ['oneOf', 'anyOf', 'allOf'] as const;
const PROPERTY = /^[a-zA-Z0-9_.-]{1,64}$/;

const RULES: readonly Rule[] = [
  checkBody,
  checkFields,
  checkModel,
  checkMaxTokens,
  checkThinking,
  checkSystem,
  checkTools,
  checkToolChoice,
  (request) => checkMessages(request.messages),
  checkDefined,
  checkCacheBreakpoints,
];

export function checkRequest(headers: Arrival['headers'], body: unknown): Refusal | null {
  if (!headers['x-api-key'] && !headers.authorization) {
    return { status: 401, type: 'authentication_error', message: 'x-api-key header is required' };
  }
  if (!headers['anthropic-version']) return invalid('anthropic-version: header is required');
  if (!isFields(body)) return invalid('request body: a JSON object is required');
  for (const rule of RULES) {
    const broken = rule(body);
    if (broken !== null) return invalid(broken);
  }
  return null;
}

/** What the API would say of a request that the harness makes; null when it takes it. */
export function refusalOf({ extra, ...request }: ModelRequest): string | null {
  const headers = { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' };
  return checkRequest(headers, { ...request, ...extra })?.message ?? null;
}

function invalid(message: string): Refusal {
  return { status: 400, type: 'invalid_request_error', message };
}

/** The API parses the body strictly: half a surrogate pair, which JSON can spell, makes it invalid as a whole. */
function checkBody(request: Fields): string | null {
  const body = JSON.stringify(request);
  if (body.length > MAX_BODY_CHARS) return 'request body: exceeds the maximum size';
  return hasHalfPair(request) ? 'request body: not valid JSON: no low surrogate in string' : null;
}

function hasHalfPair(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, field]) => !key.isWellFormed() || hasHalfPair(field));
}

/** `temperature`, `top_p` and `top_k` are gone since API version 2026-10-21, also at their defaults. */
function checkFields(request: Fields): string | null {
  const extra = Object.keys(request).find((name) => !FIELDS.has(name));
  return extra === undefined ? null : `${extra}: Extra inputs are not permitted`;
}

function checkModel({ model }: Fields): string | null {
  return typeof model === 'string' && model !== '' ? null : 'model: a non-empty string is required';
}

function checkMaxTokens({ max_tokens: max }: Fields): string | null {
  if (max === undefined) return 'max_tokens: Field required';
  return Number.isInteger(max) && Number(max) >= 1 ? null : 'max_tokens: must be an integer greater than 0';
}

function checkThinking({ thinking, max_tokens: max }: Fields): string | null {
  if (thinking === undefined) return null;
  if (!isFields(thinking) || typeof thinking.type !== 'string') return 'thinking.type: Field required';
  if (thinking.type !== 'enabled') return null;
  const budget = thinking.budget_tokens;
  if (typeof budget !== 'number' || budget < 1024) return 'thinking.enabled.budget_tokens: must be at least 1024';
  return budget < Number(max) ? null : 'thinking.enabled.budget_tokens: must be less than max_tokens';
}

function checkSystem({ system }: Fields): string | null {
  if (system === undefined || typeof system === 'string') return null;
  if (!Array.isArray(system)) return 'system: a string or a list of text blocks is required';
  const empty = system.findIndex(
    (block) => !isFields(block) || typeof block.text !== 'string' || block.text.trim() === '',
  );
  return empty === -1 ? null : `system.${empty}.text: text content blocks must be non-empty`;
}

function checkTools({ tools }: Fields): string | null {
  if (tools === undefined) return null;
  if (!Array.isArray(tools)) return 'tools: a list is required';
  const names = new Set<unknown>();
  for (const [at, tool] of tools.entries()) {
    const broken = isFields(tool) ? brokenTool(tool, names) : 'an object is required';
    if (broken !== null) return `tools.${at}.${broken}`;
  }
  return null;
}

/** A tool with a `type` of its own is defined by the API and carries no schema. */
function brokenTool(tool: Fields, names: Set<unknown>): string | null {
  if (typeof tool.name !== 'string' || !TOOL_NAME.test(tool.name)) return `name: must match ${TOOL_NAME.source}`;
  if (names.has(tool.name)) return 'name: tool names must be unique';
  names.add(tool.name);
  if (tool.type !== undefined && tool.type !== 'custom') return null;
  if (!isFields(tool.input_schema)) return 'input_schema: Field required';
  if (tool.input_schema.type !== 'object') return "input_schema.type: must be 'object'";
  const combinator = COMBINATORS.find((key) =>
    Object.hasOwn(isFields(tool.input_schema) ? tool.input_schema : {}, key),
  );
  if (combinator !== undefined) return `input_schema: input_schema does not support ${combinator} at the top level`;
  const { properties } = tool.input_schema;
  if (properties !== undefined && !isFields(properties)) return 'input_schema.properties: must be an object';
  const foreign = Object.keys(properties ?? {}).find((name) => !PROPERTY.test(name));
  return foreign === undefined
    ? null
    : `input_schema.properties: Property keys should match pattern '${PROPERTY.source}'`;
}

function checkToolChoice({ tool_choice: choice, tools }: Fields): string | null {
  if (choice === undefined) return null;
  if (!isFields(choice) || typeof choice.type !== 'string') return 'tool_choice.type: Field required';
  return listOf(tools).length > 0 ? null : 'tool_choice: may only be specified while providing tools';
}

function checkDefined({ messages, tools }: Fields): string | null {
  if (listOf(tools).length > 0) return null;
  const blocks = listOf(messages).flatMap((message) => (isFields(message) ? listOf(message.content) : []));
  const isCall = (block: unknown) => isFields(block) && (block.type === 'tool_use' || block.type === 'tool_result');
  if (!blocks.some(isCall)) return null;
  return 'tools: Requests which include `tool_use` or `tool_result` blocks must define tools';
}

function checkCacheBreakpoints({ system, tools, messages }: Fields): string | null {
  const messageBlocks = listOf(messages).flatMap((message) => (isFields(message) ? listOf(message.content) : []));
  const inResults = messageBlocks.flatMap((block) =>
    isFields(block) && block.type === 'tool_result' ? listOf(block.content) : [],
  );
  const count = [...listOf(tools), ...listOf(system), ...messageBlocks, ...inResults].filter(hasBreakpoint).length;
  if (count <= MAX_CACHE_BREAKPOINTS) return null;
  return `cache_control: at most ${MAX_CACHE_BREAKPOINTS} blocks may have cache_control, found ${count}`;
}

function hasBreakpoint(block: unknown): boolean {
  return isFields(block) && block.cache_control !== undefined && block.cache_control !== null;
}
