/** Port of guarded requests to the network outside. */

export interface FetchLimits {
  /** Size of the decompressed body. */
  readonly maxBytes: number;
  /** From the call to the last byte, over all redirects. */
  readonly totalMs: number;
  /** Without a byte from the other side, connecting included. */
  readonly idleMs: number;
  readonly maxRedirects: number;
}

/** A request to a URL that a model, a user, a server's metadata or a redirect names. */
export interface OutboundRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly limits: FetchLimits;
  /** The caller's own rule for the host of the request and of each redirect: why it may not be asked, or null. */
  readonly ruleAgainst?: (host: string) => string | null;
}

export interface OutboundFailure {
  readonly status: 'failed';
  /** `blocked`: a rule forbids the host, so it was not connected to. `unreadable`: the answer cannot be parsed. */
  readonly failure: 'blocked' | 'unreachable' | 'timeout' | 'too_large' | 'redirects' | 'unreadable';
  /** Names the host and the rule, never path, query, headers or addresses. */
  readonly message: string;
}

export interface OutboundAnswer {
  readonly status: 'answered';
  readonly code: number;
  /** Names in lower case; of several values the joined text. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/**
 * Requests to the network outside, guarded against URLs that lead inside (`core/outbound`). The name of each host,
 * redirects included, is resolved once, all of its addresses are judged, and the connection goes to one of those. No
 * cookies, no cache, no retries, no connection reused. A failure of the other side is a value; aborting the signal
 * rejects with its reason.
 */
export interface Outbound {
  fetch(request: OutboundRequest, signal?: AbortSignal): Promise<OutboundAnswer | OutboundFailure>;
}

/** The parts of a `RequestInit` that a guarded fetch reads. */
export interface GuardedInit {
  readonly method?: string | undefined;
  readonly headers?: RequestInit['headers'] | undefined;
  readonly body?: RequestInit['body'] | undefined;
  readonly redirect?: RequestInit['redirect'] | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * The same as a `fetch`, for libraries that take one. When the other side is at fault, it or the body of its answer
 * rejects with `OutboundError`; it rejects with the signal's reason when the caller aborts.
 */
export type GuardedFetch = (input: string | URL | Request, init?: GuardedInit) => Promise<Response>;

interface OutboundErrorOptions extends ErrorOptions {
  /** @default false */
  readonly sent?: boolean;
}

/** An `OutboundFailure` as an exception, for adapters that hand out streams: a stream can fail in no other way. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure['failure'];
  /** Whether the other side may have read the request, and begun to act on it. */
  readonly sent: boolean;

  constructor(
    failure: OutboundFailure['failure'],
    host: string | null,
    rule: string,
    options: OutboundErrorOptions = {},
  ) {
    super(`${host ?? 'the URL'} ${rule}`, options);
    this.failure = failure;
    this.sent = options.sent ?? false;
  }

  failed(): OutboundFailure {
    return { status: 'failed', failure: this.failure, message: this.message };
  }
}

/** The visible text of an HTML page as Markdown, with absolute links and without scripts. */
export type ReadPage = (html: string, url: string) => { readonly title: string; readonly text: string };
