/** One request and its answer on the way through the proxy, as what may change them sees both. */
import { Readable } from 'node:stream';

/** Names and values in the order and the letters of the sender; hop-by-hop headers are not among them. */
export type HeaderList = readonly Header[];
export type Header = readonly [name: string, value: string];

export interface RequestParts {
  readonly method: string;
  /** Path and query, as the program wrote them. */
  readonly path: string;
  readonly headers: HeaderList;
  /** Null for a request without a body. */
  readonly body: Readable | null;
}

export interface AnswerParts {
  readonly status: number;
  /** The words of the status line. */
  readonly reason: string;
  readonly headers: HeaderList;
  readonly body: Readable;
}

/** What the proxy answers in place of the server. */
export interface Refusal {
  readonly status: 400 | 403 | 405 | 407 | 413 | 415 | 421 | 501 | 502 | 503 | 504;
  /** The rule's id in log lines and the audit trail. */
  readonly rule: string;
  /** For the user: what refused the request, and what allows it. It quotes nothing of a secret. */
  readonly sentence: string;
}

/**
 * What the proxy changes in one request and its answer. Where a body's length changes, the exchange leaves
 * `content-length` out, and the body goes out in chunks.
 */
export interface Exchange {
  /** Called once, before anything is sent. With a refusal, the request is not sent. */
  outgoing(request: RequestParts): Promise<RequestParts | Refusal>;
  /** Called once, when the headers of the server's final answer have arrived. */
  incoming(answer: AnswerParts): Promise<AnswerParts | Refusal>;
}

/** The values of all headers of that name, which is in lower case; undefined when there is none. */
export function valueOf(headers: HeaderList, name: string): string | undefined {
  const values = headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}

export function withoutHeaders(headers: HeaderList, names: readonly string[]): HeaderList {
  return headers.filter(([name]) => !names.includes(name.toLowerCase()));
}

/** Without what a change of the body makes wrong. */
export function unsized(headers: HeaderList): HeaderList {
  return withoutHeaders(headers, ['content-length', 'content-md5', 'digest', 'content-digest', 'repr-digest']);
}

export function bodyOf(bytes: Buffer): Readable {
  return Readable.from([bytes], { objectMode: false });
}
