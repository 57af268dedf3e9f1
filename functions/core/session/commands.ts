/** What may be asked of a session, and the two ways to answer. */
import type { SessionAgent } from '#contract/agents.ts';
import type { ToolContent } from '#contract/content.ts';
import type { Entry } from '#contract/entries.ts';
import type { EventInput, QueuedMessage, TurnErrorType } from '#contract/events.ts';
import type { EventId, Position } from '#contract/ids.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { Metadata } from '#contract/metadata.ts';
import type { McpVerdict } from '#contract/mcp-proxy.ts';
import type { ModelUsage } from '#contract/usage.ts';
import type { McpTrouble } from '#core/ports/call-marks.ts';
import type { ToolRules } from '#core/tools/tool-definitions.ts';
import type { ContentBlock, ModelAnswer } from '#core/ports/model.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import type { Head } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';

export type Command =
  /** A client's events, all or none: messages start a run or wait in the queue, the others take effect at once. */
  | { readonly do: 'send'; readonly events: readonly EventInput[] }
  /** Claims the next model request; `taken` are the queued messages that it will read. */
  | { readonly do: 'claim'; readonly request: EventId; readonly taken: readonly QueuedMessage[] }
  | {
      readonly do: 'answer';
      readonly request: EventId;
      readonly answer: ModelAnswer;
      readonly rules: ToolRules;
      /** Chosen before the answer came, so that previews could carry them. */
      readonly ids: AnswerIds;
      /** Of its MCP calls, by the provider's id of each. */
      readonly verdicts: Verdicts;
      /** Blocks of the answer before: this one may hold results of calls in it. */
      readonly earlier: readonly ContentBlock[];
    }
  /** The summary that a model request was made for: from now on it stands for what was answered before. */
  | {
      readonly do: 'compacted';
      readonly request: EventId;
      readonly summary: string;
      readonly usage: ModelUsage;
      readonly agent: SessionAgent;
    }
  /**
   * The model request failed. `retrying`: another attempt follows. `refused`: its input is what the provider refuses.
   * `too large`: so it was, and room has to be made.
   */
  | {
      readonly do: 'fail';
      readonly request: EventId;
      readonly error: TurnErrorType;
      readonly message: string;
      readonly verdict: 'retrying' | 'exhausted' | 'refused' | 'too large';
      /** Of an answer that was of no use. */
      readonly usage?: ModelUsage;
      /** What waits, of a request that was not to take it: it is not asked about when this one is exhausted. */
      readonly taken?: readonly QueuedMessage[];
    }
  /** The turn ends unfinished. Queued messages that are not `taken` are dropped. */
  | { readonly do: 'give up'; readonly cause: GivingUp; readonly taken: readonly QueuedMessage[] }
  | {
      readonly do: 'result';
      readonly call: EventId;
      readonly content: ToolContent;
      readonly isError: boolean;
      /** What people are told beside it. */
      readonly error?: McpTrouble;
    }
  /**
   * An open call of a hand goes on only when a person has done what `error` asks them for, outside the session. Its hand
   * was given it at `sincePosition`: one that was given it later has its own word.
   */
  | { readonly do: 'suspend'; readonly call: EventId; readonly sincePosition: Position; readonly error: McpTrouble }
  /**
   * They have: the call is its hand's again. Whoever resumes a call that does not wait for that changes nothing. Null for
   * what was listed without them: the run that goes on with it asks again.
   */
  | { readonly do: 'resume'; readonly call: EventId | null; readonly sincePosition?: Position | null }
  /** They will not, or cannot: the call ends with `reason`, which the model is told. Of any other, too, it changes nothing. */
  | {
      readonly do: 'decline';
      readonly call: EventId;
      readonly sincePosition?: Position | null;
      readonly reason: string;
    }
  /** What the agent's MCP servers offer in this run, and what those did wrong that offer nothing. */
  | {
      readonly do: 'listed';
      readonly run: number;
      readonly tools: readonly OfferedTool[];
      /** Of `tools`. */
      readonly sha256: string;
      readonly failed: readonly McpTrouble[];
    }
  /** Every call that a hand could make is made; the others wait for people or clients, so the run ends. */
  | { readonly do: 'await action' }
  /** `run` goes on under the next number, unless it has already. */
  | { readonly do: 'continue'; readonly run: number; readonly reason: 'long' | 'lost' }
  /** What a client changes in a session, as it will be; only what differs from what is. */
  | { readonly do: 'update'; readonly changes: SessionChanges }
  | { readonly do: 'archive' };

export type CommandTo<Do extends Command['do']> = Extract<Command, { do: Do }>;

/** What the MCP proxy said of an answer's calls, under the ids that their events will have. */
export type Verdicts = ReadonlyMap<string, McpVerdict>;

/** Ids of the events that an answer becomes. */
export interface AnswerIds {
  readonly message: EventId;
  readonly thinking: EventId;
}

/** Model requests in a row that may fail, by crashes or by the provider, before the turn ends `retries_exhausted`. */
export const MAX_FAILURES = 8;

/**
 * `attempts`: used up, by crashes or by the provider. `rounds`: one turn used tools too often. `compactions`: the context
 * is full again and again right after it was summarised.
 */
export type GivingUp = 'attempts' | 'rounds' | 'compactions';

export interface SessionChanges {
  readonly title?: string | null;
  readonly metadata?: Metadata;
  readonly agent?: SessionAgent;
}

/** A refusal is a value: the rules say no, nothing is written, and the message is for the client. */
export interface Refusal {
  readonly status: 'refused';
  /** The field of the request that is refused, where there is one. */
  readonly field?: string;
  readonly message: string;
  readonly errorCode?: string;
}

/** The refusal of the request that asked for it; `nameOf` tells what the request calls a field of the command. */
export function refusedRequest(
  { field = 'session_id', message, errorCode }: Refusal,
  nameOf: (field: string) => string = (name) => name,
): RequestRefusal {
  return refuse('invalid_request_error', `${nameOf(field)}: ${message}`, errorCode);
}

/** Entries to append, and the head that they lead to. No entries: nothing is left to do, or another process does it. */
export interface Decided {
  readonly status: 'decided';
  readonly entries: readonly Entry[];
  readonly head: Head;
}

export function decided(from: Head, entries: readonly Entry[] = []): Decided {
  return { status: 'decided', entries, head: entries.length === 0 ? from : fold(from, entries) };
}

/** The same decision with further entries, which were decided on the head that it leads to. */
export function extended({ entries, head }: Decided, more: readonly Entry[]): Decided {
  return { ...decided(head, more), entries: [...entries, ...more] };
}

export type Decision = Decided | Refusal;
