/** An agent with a side effect that can be counted: one command appends a line, the next counts the lines. */
import type { Script } from '#test/model/stand-in.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';

/** `mark` is the command with the side effect; the session's last message is the number of lines in the file `f`. */
export const marking =
  (mark = 'echo x >> f'): Script =>
  (request) => {
    const results = request.messages.filter(
      (message) => typeof message.content !== 'string' && message.content.some((block) => block.type === 'tool_result'),
    ).length;
    if (results === 0) return { text: ['I ', 'mark.'], tools: [bash(mark)] };
    if (results === 1) return { tools: [bash('cat f | wc -l')] };
    return { text: `marks: ${lastTexts(request).join('')}` };
  };
