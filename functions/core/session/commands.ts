/** What may be asked of a session, and the two ways to answer. */
import type { Entry } from '#contract/entries.ts';
import type { SessionErrorBody, UserMessage, UserMessageInput } from '#contract/events.ts';
import type { Content } from '#contract/content.ts';
import type { EventId } from '#contract/ids.ts';
import type { ModelAnswer } from '#core/ports.ts';

export type Command =
  /** A client's messages: they start a run, or wait in the queue of the one that runs. */
  | { readonly do: 'send'; readonly messages: readonly UserMessageInput[] }
  /** Claims the next model request; `taken` are the queued messages that it will read. */
  | { readonly do: 'claim'; readonly request: EventId; readonly taken: readonly UserMessage[] }
  | {
      readonly do: 'answer';
      readonly request: EventId;
      readonly answer: ModelAnswer;
      readonly offered: ReadonlySet<string>;
    }
  /** The model request failed. `retrying`: another attempt follows. `refused`: its input is what the provider refuses. */
  | {
      readonly do: 'fail';
      readonly request: EventId;
      readonly error: SessionErrorBody['type'];
      readonly message: string;
      readonly verdict: 'retrying' | 'exhausted' | 'refused';
    }
  /** Attempts are used up, by crashes or by the provider. Queued messages that are not `taken` are dropped. */
  | { readonly do: 'give up'; readonly taken: readonly UserMessage[] }
  | { readonly do: 'result'; readonly call: EventId; readonly content: Content; readonly isError: boolean }
  /** `run` goes on under the next number, unless it has already. */
  | { readonly do: 'continue'; readonly run: number; readonly reason: 'long' | 'lost' }
  | { readonly do: 'archive' };

/** A refusal is a value: the rules say no, nothing is written, and the message is for the client. */
export interface Refusal {
  readonly status: 'refused';
  readonly message: string;
}

/** Entries to append; none means that there is nothing to do, because it is done already or somebody else's. */
export interface Decided {
  readonly status: 'decided';
  readonly entries: readonly Entry[];
}

export type Decision = Decided | Refusal;
