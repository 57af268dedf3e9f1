/** The commands that a session takes, and the two kinds of decisions on them. */
import type { SessionAgent } from '#contract/agents.ts';
import type { ToolContent } from '#contract/content.ts';
import type { Entry, Guides, HeldFiles, Holder, OwnEnvironment, QueuedEntry, SessionState } from '#contract/entries.ts';
import type { EventInput, OutcomeDefinition, SessionErrorBody, TurnErrorType } from '#contract/events.ts';
import type { EventId, HandKey, Position, ThreadId } from '#contract/ids.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { Metadata } from '#contract/metadata.ts';
import type { McpVerdict } from '#contract/mcp-proxy.ts';
import type { RepositoryFailure } from '#contract/repositories.ts';
import type { ModelUsage, Usage } from '#contract/usage.ts';
import type { McpTrouble } from '#core/ports/call-marks.ts';
import type { ToolRules } from '#core/tools/tool-definitions.ts';
import type { ContentBlock, ModelAnswer } from '#core/ports/model.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Head, ThreadDetails } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';

export type Command =
  /**
   * A client's events, all or none: messages start a run or wait in the queue, the others take effect at once. `files` are
   * all that they name.
   */
  | { readonly do: 'send'; readonly events: readonly EventInput[]; readonly files?: HeldFiles }
  /** Claims the next model request; `taken` are the queued messages that it will read. */
  | { readonly do: 'claim'; readonly request: EventId; readonly taken: readonly QueuedEntry[] }
  | {
      readonly do: 'answer';
      readonly request: EventId;
      readonly answer: ModelAnswer;
      readonly rules: ToolRules;
      /** Chosen before the answer came, so that previews could carry them. */
      readonly ids: AnswerIds;
      /** Verdicts on its MCP calls, by the key of each (`decide-answer.ts`). */
      readonly verdicts: Verdicts;
      /** Blocks of the answer before: this answer may hold results of calls in them. */
      readonly earlier: readonly ContentBlock[];
      /** What its calls that delegate come to, by the key of each. */
      readonly delegations?: Delegations;
    }
  /** The summary that a model request asked for: from here on it stands for what was answered before. */
  | {
      readonly do: 'compacted';
      readonly request: EventId;
      readonly summary: string;
      readonly usage: ModelUsage;
      readonly agent: SessionAgent;
      readonly guides: Guides;
      /** The one that the agent works toward, if its definition is part of what the summary stands for. */
      readonly outcome: OutcomeDefinition | null;
    }
  /** The grader answered; `results` are what it asked to read. */
  | {
      readonly do: 'graded';
      readonly request: EventId;
      /** The version of its prompt. */
      readonly prompt: number;
      readonly reply: GraderReply;
      readonly blocks: readonly ContentBlock[];
      readonly results: readonly ToolResult[];
      readonly usage: ModelUsage;
    }
  /**
   * The model request failed. `retrying`: another attempt follows. `refused`: the provider refuses its input for good, so
   * the next attempt leaves out a part of it. `exhausted`: no attempt follows, and what was tried comes back. `too large`: it
   * was larger than the model's window, so the context is summarised next.
   */
  | {
      readonly do: 'fail';
      readonly request: EventId;
      readonly error: TurnErrorType;
      readonly message: string;
      readonly verdict: 'retrying' | 'exhausted' | 'refused' | 'too large';
      /** What later requests leave out, where the provider refused the input. */
      readonly leftOut?: { readonly named: string | null; readonly tried: readonly string[] };
      /** Tokens of an answer that could not be used. */
      readonly usage?: ModelUsage;
      /** Queued messages of a request that takes none: they leave the queue when this request is exhausted. */
      readonly taken?: readonly QueuedEntry[];
    }
  /** The turn ends unfinished. Queued messages that are not `taken` are dropped. */
  | { readonly do: 'give up'; readonly cause: GivingUp; readonly taken: readonly QueuedEntry[] }
  | {
      readonly do: 'result';
      readonly call: EventId;
      readonly content: ToolContent;
      readonly isError: boolean;
      /** An error for people, told with the result. */
      readonly error?: McpTrouble;
      /** Programs go on in the sandbox. */
      readonly programsLive?: true | undefined;
      /** Repositories that are not in the sandbox, told with the result. */
      readonly failedClones?: readonly RepositoryFailure[] | undefined;
      /** A hand that the thread was passed, and that is gone. */
      readonly leaves?: HandKey | undefined;
    }
  /** For people: what the session's sandbox lacks. Each is told once, on the primary thread's log. */
  | { readonly do: 'warn'; readonly errors: readonly SessionErrorBody[] }
  /** What programs wrote is taken over, or cannot be, for the turn that began to end at `since`. */
  | { readonly do: 'harvested'; readonly since: Position; readonly programsLive: boolean }
  /** That turn ends, unless there is something to do again. */
  | { readonly do: 'end turn'; readonly since: Position }
  /**
   * A hand gives its call back until a person has done, outside the session, what `error` asks for. The hand was given the
   * call at `sincePosition`; if the call was given to a hand again since, nothing changes.
   */
  | { readonly do: 'suspend'; readonly call: EventId; readonly sincePosition: Position; readonly error: McpTrouble }
  /**
   * The person has done it, so the call waits for its hand again. A call that does not wait for that stays as it is. Null
   * stands for a list of tools that lacks a server's: the run lists again.
   */
  | { readonly do: 'resume'; readonly call: EventId | null; readonly sincePosition?: Position | null }
  /** The person declines: the call ends with `reason`, which the model reads. Any other call stays as it is. */
  | {
      readonly do: 'decline';
      readonly call: EventId;
      readonly sincePosition?: Position | null;
      readonly reason: string;
    }
  /** The tools of the agent's MCP servers in this run, and the errors of servers that could not be listed. */
  | {
      readonly do: 'listed';
      readonly run: number;
      readonly tools: readonly OfferedTool[];
      /** Hash of `tools`. */
      readonly sha256: string;
      readonly failed: readonly McpTrouble[];
    }
  /** No call waits for a hand, and some wait for people or clients, so the run ends. */
  | { readonly do: 'await action' }
  /** `run` goes on under the next number, unless it has already. */
  | { readonly do: 'continue'; readonly run: number; readonly reason: 'long' | 'lost' }
  /** The primary thread hears what a child's append changes for the session. */
  | { readonly do: 'hear'; readonly told: Told }
  /** A client's changes of a session: the new values of the fields that differ. */
  | { readonly do: 'update'; readonly changes: SessionChanges }
  /** What the session's sandboxes find changes, by a client's request. */
  | { readonly do: 'change contents' }
  /** The session, or a child thread, ends for good. */
  | { readonly do: 'archive' };

/** What a child's append tells the primary thread. */
export interface Told {
  readonly thread: ThreadId;
  readonly name: string;
  /** The child's statuses and questions, and what it was answered, as the session's stream tells them. */
  readonly copies: readonly Entry[];
  /** What the child says at the end of its work. Null while it works, and when it is not heard. */
  readonly report: string | null;
  /** What it has used since it told last; null while it works. */
  readonly usage: Usage | null;
  /** Whether programs may go on in the sandbox of its hand. */
  readonly programsLive: boolean;
  /** Null for the main hand of its session. */
  readonly hand: HandKey | null;
}

/** What one call that delegates comes to, as the harness found out. */
export type Delegation =
  /** The message begins a thread, or an advisor's consultation. */
  | {
      readonly do: 'begin';
      readonly thread: ThreadId;
      readonly agent: SessionAgent;
      /** The agent as the thread's clients see it. */
      readonly shown: ThreadDetails['agent'];
      readonly name: string;
      readonly guide: string | null;
      readonly text: string;
      /** A sandbox of its own. */
      readonly own?: OwnHand;
      readonly loan?: Loan | undefined;
    }
  /** The message goes to a thread of the session. */
  | { readonly do: 'follow up'; readonly thread: ThreadId; readonly text: string; readonly loan?: Loan | undefined }
  /** The agents, and the threads before this answer, the newest first. */
  | { readonly do: 'list'; readonly agents: string; readonly threads: readonly ListedThread[] }
  /** The agent wants to go on only when the next report has come. */
  | { readonly do: 'wait' }
  /** Known without any change of the session: a report, or what is wrong with the call. */
  | { readonly do: 'tell'; readonly text: string; readonly isError: boolean };

interface ListedThread extends Pick<SessionState, 'thread' | 'status'> {
  readonly name: string;
}

/** The hand that a thread has of itself, in the environment that its agent brings. */
interface OwnHand {
  readonly hand: HandKey;
  readonly holder: Holder;
  readonly environment: OwnEnvironment;
}

/** The hand in which a thread does the work that it is given. */
export interface Loan {
  readonly hand: HandKey;
  readonly holder: Holder;
  readonly lender: Holder;
}

/** By the key of each call (`decide-answer.ts`). */
export type Delegations = ReadonlyMap<string, Delegation>;

/** Of a call of the grader, in the provider's words. */
export type ToolResult = ContentBlock & { readonly type: 'tool_result' };

/** What the grader's answer says. */
type GraderReply =
  | {
      readonly type: 'verdict';
      readonly result: 'satisfied' | 'needs_revision' | 'failed';
      readonly explanation: string;
    }
  | { readonly type: 'reading' }
  | { readonly type: 'malformed'; readonly reason: string };

export type CommandTo<Do extends Command['do']> = Extract<Command, { do: Do }>;

/** The MCP proxy's verdicts on an answer's calls; each holds the id that the call's event will have. */
export type Verdicts = ReadonlyMap<string, McpVerdict>;

/** Ids of the events that an answer becomes. */
export interface AnswerIds {
  readonly message: EventId;
  readonly thinking: EventId;
}

/** Model requests in a row that may fail, by crashes or by the provider, before the turn ends `retries_exhausted`. */
export const MAX_FAILURES = 8;

/**
 * `attempts`: too many failed, by crashes or at the provider. `rounds`: one turn used tools too often. `compactions`: the
 * context was full again each time right after it was summarised.
 */
export type GivingUp = 'attempts' | 'rounds' | 'compactions';

export interface SessionChanges {
  readonly title?: string | null;
  readonly metadata?: Metadata;
  readonly agent?: SessionAgent;
}

/** A refusal by the session's rules is a value: nothing is written, and the message is for the client. */
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
  /** The head that it was decided on. */
  readonly from: Head;
  readonly entries: readonly Entry[];
  readonly head: Head;
  /** What changes in other threads of the session with it; each thread once. */
  readonly beside: readonly Beside[];
}

export interface Beside {
  readonly thread: ThreadId;
  /** Null for a thread that begins. */
  readonly after: Head | null;
  readonly entries: readonly Entry[];
  readonly head: Head;
  /** Of a thread that begins. */
  readonly details?: ThreadDetails;
  readonly own?: OwnHand;
}

/** The heads of other threads that a command may change, as far as they are known. */
export type OtherHeads = ReadonlyMap<ThreadId, Head>;
export const NO_OTHERS: OtherHeads = new Map();

export function decided(from: Head, entries: readonly Entry[] = []): Decided {
  return { status: 'decided', from, entries, head: entries.length === 0 ? from : fold(from, entries), beside: [] };
}

/** The same decision with further entries, which were decided on the head that it leads to. */
export function extended({ from, entries, head, beside }: Decided, more: readonly Entry[]): Decided {
  return { ...decided(head, more), from, entries: [...entries, ...more], beside };
}

export type Decision = Decided | Refusal;
