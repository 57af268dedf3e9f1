/** Turns an error of a request to an MCP server into a failure: its kind, and what the model and the log are told. */
import {
  extractWWWAuthenticateParams,
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
  SdkErrorCode,
} from '@modelcontextprotocol/client';
import type { McpFailure, McpFailureKind } from '#core/ports/mcp-client.ts';
import { redact } from '#core/mcp/redact.ts';
import { BadAnswerError, type SentRequest } from '#aws/mcp/mcp-traffic.ts';
import { refusalOf, rpcErrorIn } from '#aws/mcp/mcp-refusal.ts';
import { OutboundError } from '#core/ports/outbound.ts';

const MAX_RETRY_AFTER_MS = 3_600_000;
const MAX_BODY_CHARS = 1000;

/** For the model: what happened and what may help, in words that no server can choose. */
const MESSAGES: Readonly<Record<McpFailureKind, string>> = {
  unreachable: 'The MCP server could not be reached. It may be down; trying again later may help.',
  blocked:
    'The MCP server, or where it points, must not be reached from here. It has to be allowed, or to point elsewhere, first.',
  timeout: 'The MCP server did not answer in time.',
  too_large: 'The MCP server answered more than can be taken in. Asking for less may help.',
  authentication:
    'The MCP server did not accept the credential of this session’s user. It has to be renewed or replaced first.',
  scope_required: 'The credential of this session’s user does not allow this. The user has to grant more access first.',
  rate_limited: 'The MCP server takes no more requests for now. Trying again later may help.',
  bad_request: 'The MCP server refused the request as wrong. Other arguments may help.',
  not_found: 'The MCP server knows nothing of this tool, or there is no MCP server at this address.',
  server_error: 'The MCP server failed.',
  bad_answer: 'The MCP server answered what is not MCP, or not an answer to what was asked.',
};

interface Circumstances {
  readonly last: SentRequest | null;
  readonly host: string;
  /** The method of the call, in case that no request was sent. */
  readonly method: string;
  /** Redacted from the answer. */
  readonly tokens: readonly string[];
  readonly now: number;
}

export function failureOf(error: unknown, circumstances: Circumstances): McpFailure {
  const { last, host, now } = circumstances;
  const challenge = last === null ? null : challengeOf(last);
  const kind = kindOf(error, last, challenge);
  const method = last?.method ?? circumstances.method;
  const answered = last?.response?.status;
  return {
    status: 'failed',
    kind,
    message: MESSAGES[kind],
    said: wordsOf(error, last),
    detail: `${host} ${method}: ${kind}${answered === undefined ? '' : `, HTTP ${answered}`}${reasonOf(error, last)}`,
    method,
    http: responseOf(circumstances),
    retryAfterMs: retryAfterOf(last?.response ?? null, now),
    scopes: challenge?.scopes ?? [],
    resourceMetadata: challenge?.resourceMetadata ?? null,
    sent: method === 'tools/call' && mayHaveBegun(error, last),
  };
}

function kindOf(error: unknown, last: SentRequest | null, challenge: Challenge | null): McpFailureKind {
  const fault = error instanceof OutboundError ? error : (last?.fault ?? null);
  if (fault !== null) return KINDS_OF_FAULTS[fault.failure];
  const status = last?.response?.status ?? 200;
  if (status === 403 && challenge?.error === 'insufficient_scope') return 'scope_required';
  if (status >= 300) return kindOfStatus(status);
  if (error instanceof ProtocolError) return kindOfCode(error.code);
  if (SdkError.isInstance(error)) return kindOfSdk(error.code);
  return 'bad_answer';
}

const KINDS_OF_FAULTS: Readonly<Record<OutboundError['failure'], McpFailureKind>> = {
  blocked: 'blocked',
  redirects: 'blocked',
  unreachable: 'unreachable',
  timeout: 'timeout',
  too_large: 'too_large',
  unreadable: 'bad_answer',
};

function kindOfStatus(status: number): McpFailureKind {
  // A redirect that was followed is not the last answer.
  if (status < 400) return 'blocked';
  if (status === 401 || status === 403) return 'authentication';
  if (status === 404 || status === 410) return 'not_found';
  if (status === 408) return 'timeout';
  if (status === 413) return 'too_large';
  if (status === 429) return 'rate_limited';
  return status >= 500 ? 'server_error' : 'bad_request';
}

function kindOfCode(code: number): McpFailureKind {
  if (code === ProtocolErrorCode.MethodNotFound) return 'not_found';
  if (code === ProtocolErrorCode.InvalidParams) return 'bad_request';
  return 'server_error';
}

function kindOfSdk(code: SdkErrorCode): McpFailureKind {
  if (code === SdkErrorCode.RequestTimeout) return 'timeout';
  return code === SdkErrorCode.ListPaginationExceeded ? 'too_large' : 'bad_answer';
}

/** Holds codes and rules only: the words of an error may be the server's. */
function reasonOf(error: unknown, last: SentRequest | null): string {
  const fault = error instanceof OutboundError ? error : last?.fault;
  if (fault) return `, ${fault.message}`;
  if (error instanceof BadAnswerError) return `, ${error.message}`;
  return error instanceof ProtocolError || SdkError.isInstance(error) ? `, ${error.code}` : '';
}

/** More than is shown, so that a secret at the end of what is shown is found whole. */
const MAX_SAID_CHARS = 20_000;

function wordsOf(error: unknown, last: SentRequest | null): string | null {
  const told =
    error instanceof ProtocolError ? error : last?.response?.ok === false ? rpcErrorIn(last.head)?.error : null;
  if (told == null) return null;
  const data = told.data == null ? '' : ` ${JSON.stringify(told.data)}`;
  const said = `${told.message}${data}`.trim();
  return said === '' ? null : said.slice(0, MAX_SAID_CHARS).toWellFormed();
}

function mayHaveBegun(error: unknown, last: SentRequest | null): boolean {
  if (last === null) return false;
  return last.response === null ? (last.fault?.sent ?? true) : refusalOf(error, last) === null;
}

function responseOf({ last, tokens }: Circumstances): McpFailure['http'] {
  if (last === null || last.response === null) return null;
  const { status, headers } = last.response;
  const { text } = redact(last.head, tokens, '[redacted]');
  return {
    status_code: status,
    content_type: headers.get('content-type') ?? '',
    body: text.slice(0, MAX_BODY_CHARS),
    body_truncated: text.length > MAX_BODY_CHARS,
  };
}

/** What `WWW-Authenticate` says of how to get access. */
interface Challenge {
  readonly error: string | undefined;
  readonly scopes: readonly string[];
  readonly resourceMetadata: string | null;
}

function challengeOf({ response }: SentRequest): Challenge {
  if (response === null) return { error: undefined, scopes: [], resourceMetadata: null };
  const { error, scope, resourceMetadataUrl } = extractWWWAuthenticateParams(response);
  return {
    error,
    scopes: scope?.split(' ').filter((name) => name !== '') ?? [],
    resourceMetadata: resourceMetadataUrl?.href ?? null,
  };
}

/** Seconds, or a date. */
function retryAfterOf(response: Response | null, now: number): number | null {
  const told = response?.headers.get('retry-after')?.trim() ?? '';
  if (told === '') return null;
  const ms = /^\d+$/.test(told) ? Number(told) * 1000 : Date.parse(told) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}
