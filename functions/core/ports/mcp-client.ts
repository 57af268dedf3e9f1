/** Port of the client that speaks MCP over streamable HTTP, in both protocol eras, through the guarded way out. */
import type { Instant } from '#contract/ids.ts';
import type { McpTool, ToolHints } from '#contract/mcp.ts';
import type { HttpResponse } from '#contract/credential-validation.ts';

/** Where to, and with what. `token` is asked before each request; `onUnauthorized` once after a 401, then asked again. */
export interface McpTarget {
  /** Canonical (`core/vault/server-url.ts`). */
  readonly url: string;
  readonly bearer: {
    token(): Promise<string | undefined>;
    /** Throws to give up. */
    onUnauthorized(): Promise<void>;
  } | null;
  /** What a cache of this server's answers may be shared by: the credential's id, or null for nobody's. */
  readonly cacheKey: string | null;
  /** When everything has to be over, epoch milliseconds. */
  readonly deadline: number;
}

/** The kinds of governance §1 row 21 that can happen here. */
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
  /** For the model: what happened and what may help. Nothing of the server's own words, no URL, no token. */
  readonly message: string;
  /** For the log: host, method, code. No body, no query, no header. */
  readonly detail: string;
  /** The MCP method that failed: `initialize`, `server/discover`, `tools/list`, `tools/call`. */
  readonly method: string;
  readonly http: HttpResponse | null;
  readonly retryAfterMs: number | null;
  /** Of a 403 `insufficient_scope`, and of a 401 that names some. */
  readonly scopes: readonly string[];
  /** From `WWW-Authenticate`, where consent begins; null when it was not told. */
  readonly resourceMetadata: string | null;
  /** Whether the server may have begun to act on it. */
  readonly sent: boolean;
}

export interface McpListed {
  readonly status: 'listed';
  readonly tools: readonly McpTool[];
  /** Before the server said so: long before, where a list is kept. */
  readonly askedAt: Instant;
}

/** A content block of the server, checked and within the size limits, in MCP's own words. */
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
  /** In the server's words, for people. */
  readonly message: string;
}

export type McpCalled =
  | { readonly status: 'answered'; readonly content: readonly McpBlock[]; readonly isError: boolean }
  /** A person has to open a URL first (MRTR, or error −32042 of the older era). `state` is echoed byte for byte. */
  | { readonly status: 'input_required'; readonly requests: readonly UrlRequest[]; readonly state: string | null };

export interface McpCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Of the tool that was listed: which headers mirror which arguments follows from it. */
  readonly schema: Readonly<Record<string, unknown>> | null;
  readonly hints: ToolHints;
  /** What an earlier `input_required` gave, once people have done what it asked for. */
  readonly resume: { readonly requests: readonly string[]; readonly state: string | null } | null;
}

/** What the other side does wrong is a value; nothing is retried but what a refused token, or another era, asks for. */
export interface McpClient {
  listTools(target: McpTarget, signal: AbortSignal): Promise<McpListed | McpFailure>;
  callTool(target: McpTarget, call: McpCall, signal: AbortSignal): Promise<McpCalled | McpFailure>;
}
