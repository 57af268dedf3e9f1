/**
 * What the real Messages API refuses, checked where a harness can get it wrong. A stand-in that accepts anything would
 * let a broken conversation pass every test and fail with the first real model.
 */
import type { Arrival } from '#infra/local/model/script.ts';
import { checkMessages } from './check-messages.ts';
import { isFields, type Fields } from './fields.ts';

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

const RULES: readonly Rule[] = [
  checkFields,
  checkModel,
  checkMaxTokens,
  checkThinking,
  checkSystem,
  checkTools,
  (request) => checkMessages(request.messages),
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

function invalid(message: string): Refusal {
  return { status: 400, type: 'invalid_request_error', message };
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
  const empty = system.findIndex((block) => !isFields(block) || typeof block.text !== 'string' || block.text === '');
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
  return tool.input_schema.type === 'object' ? null : "input_schema.type: must be 'object'";
}

function checkCacheBreakpoints({ system, tools, messages }: Fields): string | null {
  const messageBlocks = listOf(messages).flatMap((message) => (isFields(message) ? listOf(message.content) : []));
  const count = [...listOf(tools), ...listOf(system), ...messageBlocks].filter(hasBreakpoint).length;
  if (count <= MAX_CACHE_BREAKPOINTS) return null;
  return `cache_control: at most ${MAX_CACHE_BREAKPOINTS} blocks may have cache_control, found ${count}`;
}

function hasBreakpoint(block: unknown): boolean {
  return isFields(block) && block.cache_control !== undefined && block.cache_control !== null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
