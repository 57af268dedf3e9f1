/** Requests and answers for the stand-in's tests. */
import type { MessageCreateParamsNonStreaming, MessageParam, Tool } from '@anthropic-ai/sdk/resources/messages';

export function tool(name: string): Tool {
  return { name, description: name, input_schema: { type: 'object', properties: {} } };
}

export function requestOf(messages: MessageParam[], tools: Tool[] = []): MessageCreateParamsNonStreaming {
  return { model: 'claude-test-1', max_tokens: 1024, messages, tools };
}
