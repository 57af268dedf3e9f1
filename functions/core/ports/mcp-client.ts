/** Port of the client that speaks MCP over streamable HTTP, in both protocol eras, through the guarded fetch. */
import type { Instant } from '#contract/ids.ts';
import type { McpTool, ToolHints } from '#contract/mcp.ts';
import type { HttpResponse } from '#contract/credential-validation.ts';

/** `token` is asked before each request; after a 401, `onUnauthorized` is asked once, and then `token` again. */
export interface McpTarget {
  /** Canonical (`core/vault/server-url.ts`). */
  readonly url: string;
  readonly bearer: {
    token(): Promise<string | undefined>;
    /** Throws to give up. */
    onUnauthorized(): Promise<void>;
  } | null;
  /** Only requests with the same key share cached answers: the credential's id, or null without a credential. */
  readonly cacheKey: string | null;
  /** When the request has to be over, epoch milliseconds. */
  readonly deadline: number;
}

export type McpFailureKind =
  | 'unreachable'
  | 'blocked'
  | 'timeout'
  | 'too_large'
  | 'authentication'
  | 'scope_required'
  | 'rate_limited'
  | 'bad_request'
  | 'not_found'
  | 'server_error'
  | 'bad_answer';

export interface McpFailure {
  readonly status: 'failed';
  readonly kind: McpFailureKind;
  /** For the model: what happened and what may help. It holds no words of the server, no URL and no token. */
  readonly message: string;
  /** The server's own words in a JSON-RPC error, with its data: the model can repair a call by them. Not redacted. */
  readonly said: string | null;
  /** For the log: host, method and code, without body, query or headers. */
  readonly detail: string;
  /** The MCP method that failed: `initialize`, `server/discover`, `tools/list`, `tools/call`. */
  readonly method: string;
  readonly http: HttpResponse | null;
  readonly retryAfterMs: number | null;
  /** The scopes that a 403 `insufficient_scope` or a 401 names. */
  readonly scopes: readonly string[];
  /** The URL from `WWW-Authenticate` at which discovery begins; null when the server named none. */
  readonly resourceMetadata: string | null;
  /** Whether the server may have begun to act on the call. */
  readonly sent: boolean;
}

export interface McpListed {
  readonly status: 'listed';
  readonly tools: readonly McpTool[];
  /** The number of listed tools that are left out because they do not have the form of a tool. */
  readonly badTools: number;
  /** A moment before the server answered; long before, when the list comes from a cache. */
  readonly askedAt: Instant;
}

/** A content block of the server, checked and within the size limits, with MCP's own names. */
export type McpBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly data: string; readonly mimeType: string }
  | { readonly type: 'audio'; readonly data: string; readonly mimeType: string }
  | { readonly type: 'resource_link'; readonly uri: string; readonly name: string }
  | {
      readonly type: 'resource';
      readonly uri: string;
      readonly mimeType: string | null;
      readonly text: string | null;
      readonly blob: string | null;
    };

export interface UrlRequest {
  readonly id: string;
  readonly url: string;
  /** The server's text for people. */
  readonly message: string;
}

export type McpCalled =
  | { readonly status: 'answered'; readonly content: readonly McpBlock[]; readonly isError: boolean }
  /** A person has to open a URL first (MRTR, or error −32042 of the older era). `state` is echoed byte for byte. */
  | { readonly status: 'input_required'; readonly requests: readonly UrlRequest[]; readonly state: string | null };

export interface McpCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The listed tool's input schema: it says which headers mirror which arguments. */
  readonly schema: Readonly<Record<string, unknown>> | null;
  readonly hints: ToolHints;
  /** The requests and state of an earlier `input_required`, after people have done what it asked for. */
  readonly resume: { readonly requests: readonly string[]; readonly state: string | null } | null;
}

/**
 * A server's error is a value. The client repeats a request only after a refused token, for another protocol era, or once
 * after the server has lost the session that it began for the request.
 */
export interface McpClient {
  listTools(target: McpTarget, signal: AbortSignal): Promise<McpListed | McpFailure>;
  callTool(target: McpTarget, call: McpCall, signal: AbortSignal): Promise<McpCalled | McpFailure>;
}
