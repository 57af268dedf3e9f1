/** The port of the language model, in the words of the Messages API. */
import type { RefusalCategory } from '#contract/events.ts';
import type { ModelUsage } from '#contract/usage.ts';

/** A tool that this service or the client executes, as the model provider reads it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

/** A tool that the provider executes itself; beside its type and name, the settings it takes. */
export interface ServerTool {
  readonly type: string;
  readonly name: string;
  readonly [setting: string]: unknown;
}

export interface ContentBlock {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface ModelMessage {
  readonly role: 'user' | 'assistant' | 'system';
  readonly content: readonly ContentBlock[];
}

/** A request in the words of the Messages API. */
export interface ModelRequest {
  readonly model: string;
  readonly max_tokens: number;
  readonly system: readonly ContentBlock[];
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ((ToolDefinition | ServerTool) & {
    readonly cache_control?: { readonly type: 'ephemeral' };
  })[];
  /** Model-specific request fields (thinking, effort), already decided. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface ModelAnswer {
  readonly model: string;
  readonly stopReason: string;
  readonly stopDetails: { readonly category: RefusalCategory | null; readonly explanation: string | null } | null;
  /** Raw content blocks, order and signatures kept. */
  readonly blocks: readonly ContentBlock[];
  readonly usage: ModelUsage;
}

export interface ModelListener {
  /** The first piece of the answer arrived. */
  onFirstToken(): void;
  /** A tool call began to stream; its input is not known yet. */
  onToolStart(name: string): void;
  /** A block of thinking began to stream. */
  onThinking(): void;
  /** More text arrived; `block` counts the answer's text blocks in order, from 0. */
  onText(block: number, text: string): void;
}

/**
 * The language model. `ask` resolves with the whole answer. It never retries by itself, for retries are the state
 * machine's. Throws `Fault` `model_*`; aborting the signal rejects with the signal's reason.
 */
export interface Model {
  ask(request: ModelRequest, listener: ModelListener, signal: AbortSignal): Promise<ModelAnswer>;
}
