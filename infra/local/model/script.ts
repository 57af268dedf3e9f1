/** What a stand-in is told to answer: a script maps each request of the conversation to one reply. */
import type { ServerResponse } from 'node:http';
import type {
  MessageCreateParams,
  RefusalStopDetails,
  ServerToolUseBlock,
  StopReason,
  Usage,
  WebFetchToolResultBlock,
  WebSearchToolResultBlock,
} from '@anthropic-ai/sdk/resources/messages';

export type ModelRequest = MessageCreateParams;

/** The request's type is what the API takes; only its being an object was checked. */
export type Script = (request: ModelRequest, arrival: Arrival) => Reply | Promise<Reply>;

/** How a request reached the stand-in. */
export interface Arrival {
  /** Milliseconds since the epoch with fractions, comparable between processes of one machine. */
  readonly atMs: number;
  /** As the Claude API would have got them, whichever provider was asked. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Tells when the answer has been sent, or the client has left. */
  readonly response: Pick<ServerResponse, 'once'>;
}

export interface Reply {
  readonly thinking?: string;
  /** A list is sent as one text delta per element. */
  readonly text?: string | readonly string[];
  /** What the API's own tools did. These blocks come before the text, because the text refers to them. */
  readonly served?: readonly ServedBlock[];
  readonly tools?: readonly ReplyTool[];
  /** Default: `tool_use` when there are tools, else `end_turn`. */
  readonly stopReason?: StopReason;
  /** The details of a `refusal`. */
  readonly stopDetails?: RefusalStopDetails;
  /** A field that is left out is estimated from the lengths of request and reply. */
  readonly usage?: ReplyUsage;
  readonly error?: ReplyError;
  /** The connection is cut after this many frames. */
  readonly cutAfter?: number;
  /** Waits this long before the response headers. */
  readonly delayMs?: number;
  /** Waits this long before each content delta. */
  readonly chunkDelayMs?: number;
  /** Called when a content delta of a slow answer is about to be sent. */
  readonly onDelta?: () => void;
  /** The stream stands still until this settles, … */
  readonly hold?: Promise<unknown>;
  /** … before the frame with this number. Default 1: the client has seen `message_start` and nothing else. */
  readonly holdBefore?: number;
}

export type ServedBlock = ServerToolUseBlock | WebSearchToolResultBlock | WebFetchToolResultBlock;

export interface ReplyTool {
  readonly id?: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

type ReplyUsage = Partial<
  Pick<Usage, 'input_tokens' | 'output_tokens' | 'cache_read_input_tokens' | 'cache_creation_input_tokens'>
>;

export interface ModelError {
  readonly type: string;
  readonly message: string;
}

export interface ReplyError extends ModelError {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** With this the response starts with 200, and the error is an SSE `error` event after so many frames. */
  readonly afterFrames?: number;
}
