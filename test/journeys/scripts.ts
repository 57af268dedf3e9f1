/** Scripts for the stand-in model: the behaviour of a test's agent. */
import type { ModelRequest, Reply, ReplyTool } from '#infra/local/model/script.ts';
import type { Script } from '#test/model/stand-in.ts';

/** Texts of the last user message, tool results included. */
export function lastTexts(request: ModelRequest): readonly string[] {
  const content = request.messages.at(-1)?.content ?? [];
  if (typeof content === 'string') return [content];
  return content.flatMap((block) => {
    if (block.type === 'text') return [block.text];
    if (block.type !== 'tool_result') return [];
    if (typeof block.content === 'string') return [block.content];
    return (block.content ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : []));
  });
}

/** Repeats the last message. */
export const echo: Script = (request) => ({ text: `You said: ${lastTexts(request).join(' | ')}` });

/** Makes the given calls for a message, and quotes their results after them. */
export const calling =
  (...tools: readonly ReplyTool[]): Script =>
  (request): Reply => {
    const last = request.messages.at(-1)?.content ?? [];
    const answered = typeof last !== 'string' && last.some((block) => block.type === 'tool_result');
    return answered ? { text: `Results: ${lastTexts(request).join(' | ')}` } : { text: 'I look.', tools };
  };

export const bash = (command: string): ReplyTool => ({ name: 'bash', input: { command } });
